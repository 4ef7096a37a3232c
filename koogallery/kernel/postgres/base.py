"""The database connection; Django looks for it in a module of this name."""

from __future__ import annotations

import select

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection that is found usable without a statement while the server has said nothing since the last one.

    A server that ended the connection has sent its farewell, or the end of the stream: there is something to read.
    """

    def is_usable(self) -> bool:
        """Whether the connection still stands; asked before the first statement of a request."""
        line = self.connection
        if line is None or line.closed:
            return False
        waiting = select.poll()
        waiting.register(line.pgconn.socket, select.POLLIN | select.POLLPRI)
        return super().is_usable() if waiting.poll(0) else True
