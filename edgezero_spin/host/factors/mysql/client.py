"""MySQL connections: prepared statements, and rows as they come.

In: an address, statements with parameters. Out: rows, or a ``MysqlError``. The client library
logs in and frames packets; it has no prepared statements, which is what guests write, so that
their packets are written and read here.

Source: contract services.md, MY-2 to MY-8, MY-30 to MY-37;
https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_command_phase_ps.html.
"""

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from struct import pack, unpack_from
from time import monotonic
from typing import Any

from pymysql.connections import Connection as NativeConnection
from pymysql.constants import COMMAND, SERVER_STATUS
from pymysql.err import MySQLError
from pymysql.protocol import FieldDescriptorPacket, MysqlPacket

from edgezero_spin.host.factors.database_servers.errors import (
    DatabaseServerError,
    ResultTooLargeError,
)
from edgezero_spin.host.factors.database_servers.sessions import Parameter
from edgezero_spin.host.factors.mysql.address import MysqlAddress
from edgezero_spin.host.factors.mysql.sockets import (
    MAX_PACKET_BYTES,
    GuardedSocket,
    Wait,
    tls_context,
)
from edgezero_spin.host.factors.mysql.values import (
    MysqlColumn,
    MysqlRowReader,
    UnreadableValueError,
    column_of,
    encode_parameters,
)
from edgezero_spin.host.factors.outbound_networking.sockets import connect, is_readable
from edgezero_spin.host.factors.waits import Check, no_check
from edgezero_spin.host.runtime.interface import VariantTable

__all__ = ["MysqlConnection", "MysqlError", "MysqlRows", "connect_mysql"]

CONNECT_TIMEOUT_S = 10.0
KILL_TIMEOUT_S = 2.0
CHUNK_ROWS = 64

CHARSET = "utf8mb4"
_COM_RESET_CONNECTION = 0x1F
_LOCAL_FILE = 0xFB


class MysqlError(DatabaseServerError):
    """A server cannot be connected to, or a statement failed.

    Attributes:
        case: The case of the interface's error.
    """

    def __init__(self, message: str, case: str = "query-failed") -> None:
        super().__init__(message)
        self.case = case


def connect_mysql(
    address: MysqlAddress,
    check: Check,
    blocked: Callable[[str], bool],
    timeout_s: float = CONNECT_TIMEOUT_S,
) -> "MysqlConnection":
    """Connect and log in.

    Args:
        check: Raises what ends a wait.
        blocked: Says of an IP address that it must not be connected to (NET-41).

    Raises:
        MysqlError: The server cannot be reached, or refuses.
    """
    wait = Wait(check, monotonic() + timeout_s)
    try:
        connected = connect(
            address.host, address.port, tls=False, timeout_s=timeout_s, check=check, blocked=blocked
        )
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise MysqlError(
            f"Can't connect to MySQL server on {address.host}: {reason}", "connection-failed"
        ) from error
    native: Any = NativeConnection(
        host=address.host,
        port=address.port,
        password=address.password,  # bytes are sent as they are
        charset=CHARSET,
        autocommit=None,  # as the server has it
        defer_connect=True,
        **({"ssl": tls_context()} if address.tls else {"ssl_disabled": True}),
    )
    # Set here, or an empty user would be this account's; a name need not be text.
    native.user, native.db = address.user, address.database
    if address.database is not None:
        native.client_flag |= _CONNECT_WITH_DB
    try:
        native.connect(GuardedSocket.of(connected, wait))
    except (MySQLError, OSError, ResultTooLargeError, LookupError, ValueError) as error:
        raise MysqlError(_text_of(error), "connection-failed") from error
    wait.until = None
    return MysqlConnection(native, address, wait, blocked)


_CONNECT_WITH_DB = 8


def _text_of(error: Exception) -> str:
    if isinstance(error, MySQLError) and len(error.args) > 1:
        state = getattr(error, "sqlstate", None)
        return f"ERROR {error.args[0]}{f' ({state})' if state else ''}: {error.args[1]}"
    return str(error) or type(error).__name__


class MysqlRows:
    """The rows of a statement that runs. Read them to the end, or ``close`` them.

    Attributes:
        columns: The columns of its result; ``None`` of a statement without one.
        touched: How many rows a statement without a result touched.
    """

    def __init__(
        self, connection: "MysqlConnection", columns: Sequence[MysqlColumn] | None, touched: int = 0
    ) -> None:
        self.columns: Sequence[MysqlColumn] = columns or ()
        self.touched = touched
        self._connection = connection
        self._reader = MysqlRowReader(self.columns)
        self._chunk = CHUNK_ROWS

    def one_by_one(self) -> None:
        """Return no row later than it comes."""
        self._chunk = 1

    @property
    def at_hand(self) -> bool:
        """See ``Rows``."""
        return self._connection.at_hand

    def read(self, most_bytes: int) -> tuple[VariantTable, int]:
        """See ``Rows``."""
        rows: list[list[Any]] = []
        total = 0
        while len(rows) < self._chunk and (data := self._connection.next_row()) is not None:
            try:
                row, size = self._reader.row(data)
            except UnreadableValueError as error:
                raise MysqlError(str(error), "value-conversion-failed") from error
            total += size
            if total > most_bytes:
                raise ResultTooLargeError
            rows.append(row)
        return self._reader.table(rows), total

    def close(self) -> None:
        """Leave the rows that are left to the next statement, which reads past them."""


class MysqlConnection:
    """A connection, used by one thread at a time. ``close`` it."""

    def __init__(
        self, native: Any, address: MysqlAddress, wait: Wait, blocked: Callable[[str], bool]
    ) -> None:
        self._native = native
        self._address = address
        self._wait = wait
        self._blocked = blocked
        # The statement whose rows are not all read.
        self._statement: int | None = None
        self._busy = False

    @property
    def check(self) -> Check:
        """Raises what ends a wait; set anew for everybody who uses the connection."""
        return self._wait.check

    @check.setter
    def check(self, check: Check) -> None:
        self._wait.check = check

    @property
    def at_hand(self) -> bool:
        """Whether the next row is here already."""
        reader = self._native._rfile
        return self._statement is None or reader is None or reader.has_packet()

    def query(
        self, statement: str, parameters: Sequence[Parameter], *, one_by_one: bool = False
    ) -> MysqlRows:
        """See ``SqlConnection``."""
        rows: MysqlRows = self._guarded(lambda: self._begin(statement, parameters))
        if one_by_one:
            rows.one_by_one()
        return rows

    def execute(self, statement: str, parameters: Sequence[Parameter]) -> int:
        """See ``SqlConnection``."""
        rows = self.query(statement, parameters)
        while self.next_row() is not None:
            pass
        return rows.touched

    def next_row(self) -> bytes | None:
        """Return the bytes of the next row, ``None`` at the end.

        Raises:
            MysqlError: The statement failed, or the server is gone.
            ResultTooLargeError: The row is larger than any result; the connection was closed.
        """
        if self._statement is None:
            return None
        row: bytes | None = self._guarded(self._row, "other")
        return row

    def begin_reset(self) -> bool:
        """See ``PooledConnection``."""
        database = self._address.database
        # A session without a database cannot be given back to having none.
        if database is None or self._statement is not None or self._native._sock is None:
            return False
        try:
            self._native._execute_command(_COM_RESET_CONNECTION, b"")
            self._native._execute_command(COMMAND.COM_QUERY, f"SET NAMES {CHARSET}".encode())
            self._native._execute_command(COMMAND.COM_INIT_DB, database)
        except (MySQLError, OSError):
            return False
        return True

    def finish_reset(self) -> bool:
        """See ``PooledConnection``."""
        try:
            for _ in range(3):
                self._native._next_seq_id = 1
                self._packet()
        except (MySQLError, OSError, ResultTooLargeError):
            return False
        # A server that ended the connection since has said so.
        return not is_readable(self._native._sock)

    def abandon(self) -> None:
        """See ``PooledConnection``."""
        running = self._busy or self._statement is not None
        self._native._force_close()
        if running:
            self._busy = False
            threading.Thread(target=self._kill, daemon=True).start()

    def close(self) -> None:
        """Close the connection. Twice is harmless."""
        with suppress(MySQLError):
            self._native.close()

    def _kill(self) -> None:
        with suppress(DatabaseServerError, MySQLError, OSError):
            other = connect_mysql(self._address, no_check, self._blocked, KILL_TIMEOUT_S)
            (number,) = self._native.server_thread_id
            other._native._execute_command(COMMAND.COM_QUERY, f"KILL {number}".encode())
            other._packet()
            other.close()

    def _guarded(self, work: Callable[[], Any], case: str = "query-failed") -> Any:
        """Do something with the connection; after anything but an error of the server, close it."""
        if self._native._sock is None:
            raise MysqlError("the connection is closed", case)
        self._busy = True
        try:
            found = work()
        except MysqlError:
            self._busy = False
            raise
        except (MySQLError, OSError) as error:
            self._busy = False
            if self._native._sock is None:
                self._statement = None
            raise MysqlError(_text_of(error), case) from error
        except BaseException:
            self.abandon()
            raise
        self._busy = False
        return found

    def _packet(self, class_: type[MysqlPacket] = MysqlPacket) -> Any:
        self._wait.left = MAX_PACKET_BYTES
        return self._native._read_packet(class_)

    def _begin(self, statement: str, parameters: Sequence[Parameter]) -> MysqlRows:
        while self._statement is not None:
            self._row()
        self._native._execute_command(COMMAND.COM_STMT_PREPARE, statement.encode())
        number, columns, wanted = unpack_from("<xIHH", self._packet().get_all_data())
        self._read_fields(wanted)
        self._read_fields(columns)
        self._statement = number
        try:
            if wanted != len(parameters):
                raise MysqlError(
                    f"the statement takes {wanted} parameters, but {len(parameters)} were given"
                )
            values = encode_parameters(parameters) if parameters else b""
            self._native._execute_command(
                COMMAND.COM_STMT_EXECUTE, pack("<IBI", number, 0, 1) + values
            )
            return self._read_head()
        except (MysqlError, MySQLError):
            self._end_statement()
            raise

    def _read_head(self) -> MysqlRows:
        """Read what comes before rows, or in their place."""
        packet = self._packet()
        if packet.get_all_data()[0] == _LOCAL_FILE:
            self.close()
            raise MysqlError("the server asks for a file of this machine")
        if packet.is_ok_packet():
            touched, more = _read_ok(packet)
            self._next_result(more)
            return MysqlRows(self, None, touched)
        count = packet.read_length_encoded_integer()
        return MysqlRows(self, self._read_fields(count))

    def _read_fields(self, count: int) -> list[MysqlColumn]:
        columns = []
        for _ in range(count):
            field = self._packet(FieldDescriptorPacket)
            columns.append(column_of(field.name, field.type_code, field.flags))
        if count:
            self._packet()
        return columns

    def _row(self) -> bytes | None:
        try:
            packet = self._packet()
        except MySQLError:
            self._end_statement()
            raise
        data: bytes = packet.get_all_data()
        if not packet.is_eof_packet():
            return data
        (status,) = unpack_from("<xxxH", data)
        self._next_result(bool(status & SERVER_STATUS.SERVER_MORE_RESULTS_EXISTS))
        return None

    def _next_result(self, more: bool) -> None:
        """Read past the other results of a procedure, and end the statement."""
        while more:
            packet = self._packet()
            if packet.is_ok_packet():
                _, more = _read_ok(packet)
                continue
            self._read_fields(packet.read_length_encoded_integer())
            while not (packet := self._packet()).is_eof_packet():
                pass
            (status,) = unpack_from("<xxxH", packet.get_all_data())
            more = bool(status & SERVER_STATUS.SERVER_MORE_RESULTS_EXISTS)
        self._end_statement()

    def _end_statement(self) -> None:
        number, self._statement = self._statement, None
        if number is not None and self._native._sock is not None:
            with suppress(MySQLError):
                self._native._execute_command(COMMAND.COM_STMT_CLOSE, pack("<I", number))


def _read_ok(packet: Any) -> tuple[int, bool]:
    """Return how many rows were touched, and whether there is another result."""
    packet.advance(1)
    touched: int = packet.read_length_encoded_integer()
    packet.read_length_encoded_integer()
    return touched, bool(packet.read_uint16() & SERVER_STATUS.SERVER_MORE_RESULTS_EXISTS)
