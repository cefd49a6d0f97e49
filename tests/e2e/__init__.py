"""From `docker push` to the mail, as a user has it: the command line, real containers, real clients."""
