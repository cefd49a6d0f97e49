"""What MiniStack lacks of AWS: one small file for each thing, and `install` with the list of them."""
