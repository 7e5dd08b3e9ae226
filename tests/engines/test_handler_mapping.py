"""Handlers by name are attached in the order of their mapping."""

from __future__ import annotations

from ignite.engine import Engine, Events

from s3net_monai.engines import attach_handlers


class Recorder:
    def __init__(self, name: str, calls: list[str]) -> None:
        self.name, self.calls = name, calls

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.COMPLETED, self.calls.append, self.name)


def test_handlers_run_in_the_order_of_the_mapping() -> None:
    calls: list[str] = []
    engine = Engine(lambda engine, batch: None)
    attach_handlers(engine, {name: Recorder(name, calls) for name in ("average", "save")})
    engine.run([0])
    assert calls == ["average", "save"]
