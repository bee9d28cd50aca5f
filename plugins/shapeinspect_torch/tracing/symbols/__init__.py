"""A forward that is run with symbols for lengths, and the conditions under which it ends so."""
