"""For all tests."""

# Hypothesis' part of pytest imports it at the very end if no test did. Parsing a module then, amid a test run's rest,
# can end CPython 3.11 in "AST constructor recursion depth mismatch" (https://github.com/python/cpython/issues/106905).
import hypothesis  # noqa: F401
