"""What the fault campaigns of payments share."""

import pytest

# What fails there says what it saw, as in a test.
pytest.register_assert_rewrite("tests.faults.payments.books", "tests.faults.payments.campaign")
