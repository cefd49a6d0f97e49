"""What MiniStack lacks of AWS: a file for each thing, by service; `install` has the list of them."""
