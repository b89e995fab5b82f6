"""What can go wrong, by what to do about it. Every message ends with a next step."""


class GraddiffError(Exception):
    """Any failure of this package."""


class Missing(GraddiffError):
    """The machine lacks something: the program, a compiler, a simulator of the right version."""


class Rejected(GraddiffError):
    """`graddiff` refuses a mechanism, or knows no such parameter; its own words."""


class Unsupported(GraddiffError):
    """The model holds something of which the derivative would be wrong, so there is none."""
