"""Limits of a client, each with its reason; no other file of this package names one of them."""

CONNECT_SECONDS = 5.0
"""A connection and a TLS handshake take a few round trips; beyond this the node is not there."""

CALL_SECONDS = 30.0
"""A call takes no longer unless asked otherwise, retries and all: a person is waiting."""

KEEP_ALIVE_MS = 15_000
"""Between two pings on an idle connection."""

KEEP_ALIVE_ANSWER_MS = 10_000
"""Without an answer to a ping for so long, a connection is dead."""

RECONNECT_MS_MAX = 5_000
"""Longest pause of the connection before it is made anew: a call may need it at any time."""

ANSWER_BYTES_MAX = 4 * 1024 * 1024
"""Largest answer: a page of a thousand records without bodies, several times over."""

RETRIES_MAX = 3
"""Retries of a call that the node could not serve; more would only add load."""

RETRY_FIRST_SECONDS = 0.2
"""First bound of the pause before a retry; doubled each time, with full jitter."""

RETRY_SECONDS_MAX = 5.0
"""Largest bound of the pause before a retry, and longest pause that a node may ask for."""

WATCH_PAUSE_SECONDS_MAX = 30.0
"""Largest bound of the pause before a stream of changes is opened again."""

PAGE_SIZE = 1_000
"""Records asked for in one page: the most that a node gives."""

PAGES_MAX = 10_000
"""Pages read before a listing is given up as endless: ten million records."""

PROOFS_AT_ONCE = 8
"""Proofs asked for at once: hides the way there and back, far below what a node serves at once."""

PROFILE_BYTES_MAX = 64 * 1024
"""Bytes of a profile: three short values."""

TOKEN_BYTES_MAX = 4 * 1024
"""Bytes of an access token; a node makes them of 52 letters."""

PROOF_FILE_BYTES_MAX = 2 * 1024 * 1024
"""Bytes of a file that proves a record: as much as a message of a node may have."""

CHARTERS_MAX = 1_024
"""Charters kept to compare with: more than there are RCPs."""
