"""A gateway that is sent what the acquirer would send."""

import base64
import json
from typing import Any

import httpx

from tests.flows.gateway_process import Gateway
from tests.server.rpc.acquiring import Envelope, Merchant, said, sealed


class AcquirerGateway(Gateway):
    """A gateway process, and the acquirer's calls."""

    def post(self, config_id: str, envelope: Envelope, **headers: str) -> httpx.Response:
        sent = {
            "x-initialization-vector": base64.b64encode(envelope.initialization_vector).decode(),
            "x-authentication-tag": base64.b64encode(envelope.tag).decode(),
            "content-type": "text/plain",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        body = base64.b64encode(envelope.ciphertext)
        return self.client.post(f"/sibs/notifications/{config_id}", content=body, headers=sent)

    def tell(self, merchant: Merchant, **fields: Any) -> httpx.Response:
        return self.post(merchant.config_id, sealed(merchant.key, json.dumps(said(**fields)).encode()))
