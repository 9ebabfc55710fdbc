"""The partners' local twins: Thales D1 and its TSH, as they call us, and PaymentOptions, as it is called."""
