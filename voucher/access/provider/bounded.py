"""Requests to an identity provider, each within limits of time and of size: a slow one, or an endless answer, holds nobody."""

import time
from io import BytesIO
from typing import Any

from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from requests.exceptions import ContentDecodingError, ReadTimeout
from urllib3.exceptions import HTTPError

CONNECT_SECONDS = 3.0
SILENCE_SECONDS = 5.0
"""How long the provider may take to answer, and be silent in the middle of an answer."""

ANSWER_SECONDS = 8.0
ANSWER_BYTES_MAX = 256 * 1024
CHUNK_BYTES = 16 * 1024


class BoundedAdapter(HTTPAdapter):
    """Reads each answer whole at once, within the limits, whatever its caller asks. Raises what `requests` raises."""

    def send(
        self,
        request: PreparedRequest,
        stream: bool = False,  # noqa: ARG002 - it is read here, always
        timeout: Any = None,  # noqa: ARG002 - the limits are ours
        verify: Any = True,
        cert: Any = None,
        proxies: dict[str, str] | None = None,
    ) -> Response:
        """Send a request and return its answer, read."""
        ends_at = time.monotonic() + ANSWER_SECONDS
        limits = (CONNECT_SECONDS, SILENCE_SECONDS)
        response = super().send(request, stream=True, timeout=limits, verify=verify, cert=cert, proxies=proxies)
        body = b""
        try:
            while chunk := response.raw.read1(CHUNK_BYTES, decode_content=True):
                body += chunk
                if len(body) > ANSWER_BYTES_MAX or time.monotonic() > ends_at:
                    raise ReadTimeout("the answer is too long", request=request)
        except HTTPError as error:
            raise ContentDecodingError(str(error), request=request) from error
        finally:
            response.close()
        response.raw = BytesIO(body)
        return response
