"""Which weights the models of a library have, by their configuration: a file of rows for each family."""
