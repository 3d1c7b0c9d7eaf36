"""Plays the cases of sdks/contract/cases.json with one of the two clients."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from concurrent.futures import Future
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable, Dict, List, Mapping, Tuple
from uuid import uuid4

from matching import at, filled, mismatch
from server import Server

from e2a.v1 import AsyncE2AClient, E2AClient, E2AError

#: How long anything may take; nothing takes that long unless it is broken. Seconds.
PATIENCE = 60
#: "Repeat until it matches, for 30 s at most." Seconds.
UNTIL_MAX = 30
UNTIL_PAUSE = 0.05


class SyncSide:
    """The blocking client."""

    make = E2AClient

    def run(self, result: Any) -> Any:
        return result

    def next(self, iterator: Any) -> Any:
        done: "Future[Any]" = Future()

        def take() -> None:
            try:
                done.set_result(next(iterator))
            except BaseException as error:
                done.set_exception(error)

        threading.Thread(target=take, daemon=True).start()
        return done.result(PATIENCE)

    def end(self, iterator: Any) -> None:
        iterator.close()

    def close(self, clients: List[Any]) -> None:
        for client in clients:
            client.close()


class AsyncSide:
    """The asyncio client, in an event loop that keeps running between the steps."""

    make = AsyncE2AClient

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, result: Any) -> Any:
        if not inspect.isawaitable(result):
            return result

        async def wait() -> Any:
            return await result

        return asyncio.run_coroutine_threadsafe(wait(), self._loop).result(PATIENCE)

    def next(self, iterator: Any) -> Any:
        return self.run(iterator.__anext__())

    def end(self, iterator: Any) -> None:
        self.run(iterator.aclose())

    def close(self, clients: List[Any]) -> None:
        for client in clients:
            self.run(client.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()


class Sink:
    """A webhook receiver that accepts and keeps everything."""

    def __init__(self) -> None:
        self.requests: List[Tuple[Mapping[str, str], bytes]] = []
        self._news = threading.Condition()
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                with sink._news:
                    sink.requests.append((self.headers, body))
                    sink._news.notify_all()
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def wait(self, count: int) -> List[Tuple[Mapping[str, str], bytes]]:
        with self._news:
            assert self._news.wait_for(lambda: len(self.requests) >= count, PATIENCE), f"{len(self.requests)} came"
            return list(self.requests)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Player:
    def __init__(self, server: Server, side: Any, key: str, secret: str) -> None:
        self._server = server
        self._side = side
        self._client = side.make(key, base_url=server.url)
        self._others: List[Any] = []
        self._sinks: Dict[str, Sink] = {}
        self._iterators: Dict[str, Any] = {}
        self._last: Dict[str, Any] = {}
        now = datetime.now(timezone.utc).isoformat().replace("+00:00", "Z")
        self._variables: Dict[str, Any] = {"run": uuid4().hex[:10], "now": now, "secret": secret}

    def close(self) -> None:
        for iterator in self._iterators.values():
            self._side.end(iterator)
        for sink in self._sinks.values():
            sink.close()
        self._side.close([*self._others, self._client])

    def play(self, step: Mapping[str, Any]) -> None:
        kinds = ("call", "smtp", "restart", "kill", "sink", "received", "start", "take", "ack", "stop")
        (kind,) = [kind for kind in kinds if kind in step and not (kind == "call" and "start" in step)]
        getattr(self, f"_{kind}")({name: filled(value, self._variables) for name, value in step.items()}, step)

    def _call(self, step: Mapping[str, Any], _: Mapping[str, Any]) -> None:
        client = self._client
        if "key" in step:
            client = self._side.make(step["key"], base_url=self._server.url, max_retries=0)
            self._others.append(client)
        until = time.monotonic() + UNTIL_MAX
        while True:
            try:
                result = self._result(client, step["call"], dict(step.get("args", {})))
            except E2AError as error:
                assert "error" in step, f"{type(error).__name__}: {error}"
                assert mismatch(step["error"], error_on_wire(error)) is None, mismatch(
                    step["error"], error_on_wire(error)
                )
                return
            assert "error" not in step, f"It returned {result!r}"
            wrong = mismatch(step["expect"], result) if "expect" in step else None
            if wrong is None or not step.get("until") or time.monotonic() > until:
                break
            time.sleep(UNTIL_PAUSE)
        assert wrong is None, wrong
        self._save(step, result)

    def _save(self, step: Mapping[str, Any], result: Any) -> None:
        for name, path in step.get("save", {}).items():
            self._variables[name] = at(result, path)

    def _smtp(self, step: Mapping[str, Any], _: Mapping[str, Any]) -> None:
        mail = step["smtp"]
        to = mail["to"] if isinstance(mail["to"], str) else mail["to"][0]
        self._server.deliver(to, mail["lines"], sender=mail["from"])

    def _restart(self, *_: Any) -> None:
        self._server.stop()
        self._server.start()

    def _kill(self, *_: Any) -> None:
        self._server.kill()
        self._server.start()

    def _sink(self, step: Mapping[str, Any], _: Mapping[str, Any]) -> None:
        self._sinks[step["sink"]] = Sink()
        self._variables[step["sink"]] = self._sinks[step["sink"]].url

    def _received(self, step: Mapping[str, Any], as_written: Mapping[str, Any]) -> None:
        events = []
        for headers, body in self._sinks[as_written["received"]].wait(step["count"]):
            event = self._client.parse_webhook(body, headers, step["secrets"])
            events.append({**event.raw, "proven": event.proven, "source": event.source})
        wrong = mismatch(step["expect"], events)
        assert wrong is None, wrong

    def _start(self, step: Mapping[str, Any], _: Mapping[str, Any]) -> None:
        self._iterators[step["start"]] = method(self._client, step["iterator"])(**renamed(step.get("args", {})))

    def _take(self, step: Mapping[str, Any], _: Mapping[str, Any]) -> None:
        name = step["take"]
        items = []
        try:
            for _i in range(step["count"]):
                self._last[name] = self._side.next(self._iterators[name])
                items.append(item_on_wire(self._last[name]))
        except E2AError as error:
            assert "error" in step, f"{type(error).__name__}: {error}"
            assert mismatch(step["error"], error_on_wire(error)) is None, mismatch(step["error"], error_on_wire(error))
            return
        assert "error" not in step, f"It gave {items!r}"
        wrong = mismatch(step["expect"], items) if "expect" in step else None
        assert wrong is None, wrong
        self._save(step, items)

    def _ack(self, step: Mapping[str, Any], _: Mapping[str, Any]) -> None:
        self._side.run(self._last[step["ack"]].mark_read())

    def _stop(self, step: Mapping[str, Any], _: Mapping[str, Any]) -> None:
        self._side.end(self._iterators.pop(step["stop"]))

    def _result(self, client: Any, name: str, args: Dict[str, Any]) -> Any:
        """The result of a call, in the form that the contract uses."""
        run = self._side.run
        resource, _, verb = name.partition(".")
        if resource == "message":
            get = {one: args.pop(one) for one in ("agent", "id", "peek") if one in args}
            message = run(client.messages.get(**get))
            return item_on_wire(message) if verb == "read" else run(getattr(message, verb)(**renamed(args))).raw
        if name == "messages.attachment":
            index = args.pop("index")
            message = run(client.messages.get(peek=True, **args))
            for found in message.attachments:
                if found.index == index:
                    return {
                        "filename": found.filename,
                        "content_type": found.content_type,
                        "size": found.size,
                        "text": run(found.read()).decode("utf-8"),
                    }
            return run(client.messages.attachment(index=index, **args))
        if verb == "list_all":
            pager = method(client, f"{resource}.list")(**renamed(args))
            return {"items": [item.raw for item in run(pager.to_list())]}
        result = method(client, name)(**renamed(args))
        if hasattr(result, "first_page"):
            return run(result.first_page()).raw
        result = run(result)
        if isinstance(result, bytes):
            return {"text": result.decode("utf-8")}
        if isinstance(result, list):
            return {"messages": [item.raw for item in result]}
        if name == "deliveries.redeliver_since":
            return {"redelivered": result}
        if name == "events.schemas":
            return {"schemas": result}
        return result.raw if hasattr(result, "raw") else result


def method(client: Any, name: str) -> Callable[..., Any]:
    for part in name.split("."):
        client = getattr(client, part)
    assert callable(client)
    return client


def renamed(args: Mapping[str, Any]) -> Dict[str, Any]:
    return {"from_" if name == "from" else name: value for name, value in args.items()}


def item_on_wire(item: Any) -> Dict[str, Any]:
    """The fields of a message (not its JSON); an event as it came."""
    if not hasattr(item, "reply_text"):
        return dict(item.raw)
    return {
        "message_id": item.message_id,
        "status": item.status,
        "text": item.text,
        "html": item.html,
        "reply_text": item.reply_text,
        "from": item.from_,
        "subject": item.subject,
        "verified": item.verified,
        "attachments": [attachment.filename for attachment in item.attachments],
    }


def error_on_wire(error: E2AError) -> Dict[str, Any]:
    return {
        "type": type(error).__name__,
        "status": getattr(error, "status", None),
        "code": getattr(error, "code", None),
        "message": error.message,
        "fix": error.fix,
        "request_id": getattr(error, "request_id", None),
        "errors": [{"field": one.field, "message": one.message} for one in getattr(error, "errors", [])],
    }
