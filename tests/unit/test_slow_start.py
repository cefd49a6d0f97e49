"""What the mail says of a slow start on Fargate's side: only what takes long, and only what is known to help."""

import pytest
from deployer.domain import slow_start

MB = 1_000_000
PULLED = {"schedule": 12.0, "pull": 31.24, "start": 1.0}


def notes(phases=PULLED, size=412 * MB, packing="gzip"):
    return slow_start.notes(list(phases.items()), {"size": size, "packing": packing})


def test_a_slow_pull_names_the_size_and_what_helps():
    assert notes() == [
        "Fargate took 31 s to pull the image, which is 412 MB compressed.",
        "To make that faster: use a smaller base image, compress it with zstd (docker buildx build "
        "--output type=image,push=true,oci-mediatypes=true,compression=zstd,force-compression=true ...), or add a SOCI index.",
    ]


def test_both_are_mentioned_from_their_limits_on():
    slow = {"schedule": 30.0, "pull": 10.0, "start": 1.0}
    assert len(notes(slow, size=100 * MB)) == 3
    assert notes({"schedule": 29.9, "pull": 9.9, "start": 1.0}) == []
    assert len(notes({"schedule": 30.0, "pull": 9.9})) == 1
    assert len(notes({"schedule": 29.9, "pull": 10.0})) == 2


@pytest.mark.parametrize(
    ("phases", "size"),
    [
        ({"schedule": 12.0, "pull": 9.9, "start": 1.0}, 412 * MB),
        # It is slow for another reason, which nobody here knows.
        (PULLED, 99 * MB),
        # A version that was read before the size was.
        (PULLED, 0),
        # The task's own times are missing.
        ({"start": 44.0}, 412 * MB),
    ],
    ids=["fast", "small", "of unknown size", "of unknown times"],
)
def test_there_are_no_words_without_a_reason(phases, size):
    assert notes(phases, size) == []


def test_an_image_that_was_read_by_an_older_version_has_no_note():
    assert slow_start.notes(list(PULLED.items()), {}) == []


def test_soci_is_not_proposed_below_the_size_from_which_aws_does():
    _, helps = notes(size=250 * MB - 1)
    assert "zstd" in helps
    assert "SOCI" not in helps
    assert "SOCI" in notes(size=250 * MB)[1]


@pytest.mark.parametrize("packing", ["zstd", "soci"])
def test_a_zstd_or_soci_image_is_only_advised_a_smaller_base_image(packing):
    # Fargate reads SOCI indexes of gzip layers only, so a mail recommends one or the other.
    assert notes(packing=packing)[1] == "To make that faster: use a smaller base image."


def test_a_slow_placement_is_aws_own():
    (note,) = notes({"schedule": 48.0, "pull": 3.0, "start": 1.0})
    assert note == "Fargate took 48 s before it began to pull the image. That is on AWS's side."
    assert len(notes({"schedule": 48.0, "pull": 31.0, "start": 1.0})) == 3
    assert notes({"schedule": 29.9, "pull": 3.0, "start": 1.0}) == []
