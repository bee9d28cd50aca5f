"""The programs are run by the tests and are no tests themselves."""

collect_ignore_glob = ["programs/*", "correct/*", "unseen*/*"]
