"""Cards that the twins know: numbers that the schemes publish for trials, and no money behind them."""

from collections.abc import Mapping

SAMPLES: Mapping[str, Mapping[str, str]] = {
    "visa": {"pan": "4111111111111111", "exp": "1230", "name": "A N OTHER", "cvv": "123"},
    "visa-2": {"pan": "4012888888881881", "exp": "0631", "name": "A N OTHER", "cvv": "456"},
    "mastercard": {"pan": "5555555555554444", "exp": "1230", "name": "A N OTHER", "cvv": "321"},
    "amex": {"pan": "378282246310005", "exp": "0931", "name": "A N OTHER", "cvv": "1234"},
    "without-code": {"pan": "6011111111111117", "exp": "1230"},
}
