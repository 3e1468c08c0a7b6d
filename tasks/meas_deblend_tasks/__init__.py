"""What runs: the Task classes, each a Config that nests the library's options and a ``run`` of a page."""
