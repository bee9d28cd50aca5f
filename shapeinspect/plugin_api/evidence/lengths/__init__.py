"""What made one of two lengths that have to be equal: rules over what a script's expressions were worth."""
