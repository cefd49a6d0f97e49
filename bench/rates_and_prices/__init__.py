"""AWS's published rates and prices as data, each with its source, and the arithmetic on them."""
