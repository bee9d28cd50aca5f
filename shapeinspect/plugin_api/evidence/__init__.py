"""What a program says itself about which part of it is wrong: comments, siblings, names, rules of sizes."""
