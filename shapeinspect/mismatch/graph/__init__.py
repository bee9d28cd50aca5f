"""A recorded graph that is walked again, by arithmetic, with other sizes."""
