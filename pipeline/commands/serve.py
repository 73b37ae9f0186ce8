"""`recog serve`: the service and its page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.commands import serve_token
from pipeline.commands.options import (
    Assignments,
    Blur,
    BlurStyle,
    ConfigFile,
    DetectorFile,
    EmbedderFile,
    GalleryFile,
    Mqtt,
)
from pipeline.outputs.places import Use

app = typer.Typer(
    help="Watch cameras and films in a browser, name people, correct, over HTTP.",
    rich_markup_mode=None,
    invoke_without_command=True,
)
app.add_typer(serve_token.app, name="token")


@app.callback()
def serve(
    context: typer.Context,
    source: Annotated[
        list[str] | None,
        typer.Option(
            "--source", "-s", help="Camera number, video, folder of images, or URL; may be repeated."
        ),
        Use.READ,
    ] = None,
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Where to listen.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 for any free one.")
    ] = 8000,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    folder: Annotated[
        list[Path] | None,
        typer.Option(
            "--folder",
            metavar="DIR",
            help="Films and photographs below it may be used from the page; may be repeated.",
        ),
        Use.READ,
    ] = None,
    allow: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-host",
            metavar="HOST[:PORT]",
            help="Streams of this machine itself that may be added from the page; may be repeated.",
        ),
    ] = None,
    fleet: Annotated[
        Path | None,
        typer.Option(
            "--fleet", metavar="DIR", help="Show how the cameras of a fleet are: `out` of its fleet.toml."
        ),
        Use.READ,
    ] = None,
    behind_proxy: Annotated[
        bool,
        typer.Option(
            "--behind-proxy", help="A reverse proxy in front brings TLS; its X-Forwarded headers count."
        ),
    ] = False,
    name: Annotated[
        list[str] | None,
        typer.Option("--name", help="A further host name that the service answers to; may be repeated."),
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option("--tls-cert", metavar="FILE", help="Certificate chain (PEM)."), Use.READ
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option("--tls-key", metavar="FILE", help="Private key of the certificate (PEM)."),
        Use.READ,
    ] = None,
    webhook: Annotated[
        str | None, typer.Option("--webhook", metavar="URL", help="Post each event there as JSON.")
    ] = None,
    mqtt: Mqtt = None,
    blur: Blur = None,
    blur_style: BlurStyle = None,
    gallery: GalleryFile = None,
    detector: DetectorFile = None,
    model: EmbedderFile = None,
    config: ConfigFile = None,
    assignments: Assignments = None,
) -> None:
    """Watch cameras and films in a browser, name people, correct, over HTTP.

    What is watched, seen and decided is kept beside the gallery, and goes on after a restart.
    """
    from pipeline.commands.shared import left_to_subcommand

    if left_to_subcommand(context):
        return
    from contextlib import closing
    from dataclasses import replace

    from pipeline.api import Recog
    from pipeline.commands.shared import settings_from, with_blur, with_mqtt
    from pipeline.errors import ServiceError
    from pipeline.memory import share_memory
    from pipeline.outputs.home import check_home
    from pipeline.paths import beside
    from pipeline.service.access import Access, Bind
    from pipeline.service.addresses import given
    from pipeline.service.app import make_app
    from pipeline.service.options import Options
    from pipeline.service.server import listening, serve_app
    from pipeline.service.service import Service
    from pipeline.service.store import Store, store_path

    share_memory()
    if (certificate is None) != (key is None):
        raise typer.BadParameter("give the certificate and its key", param_hint="--tls-cert, --tls-key")
    settings = with_blur(settings_from(config, assignments, detector, model), blur, blur_style)
    settings = with_mqtt(settings, mqtt)
    check_home(settings.mqtt)
    folders = tuple(each.resolve() for each in folder or ())
    if missing := next((each for each in folders if not each.is_dir()), None):
        raise ServiceError(f"--folder {missing}: there is no such folder")
    options = Options(
        tuple(map(given, source or settings.run.sources)),
        folders,
        frozenset(allow or ()),
        host,
        port,
        tls=certificate is not None,
        behind_proxy=behind_proxy,
        webhook=webhook,
        fleet=fleet,
    )
    with Recog.open(gallery, settings) as recog:
        beside(recog.path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with closing(Store(store_path(recog.path))) as store, closing(listening(host, port)) as socket:
            options = replace(options, port=socket.getsockname()[1])
            service = Service(recog, store, options)
            bind = Bind(host, options.port, options.tls, behind_proxy, tuple(name or ()))
            access = Access(store, bind)
            app = make_app(service, access)

            def started() -> None:
                address = bind.url(access.new_key() if open_page else access.first_key())
                print(f"recog serves at {address}", flush=True)
                if open_page:
                    import webbrowser

                    webbrowser.open(address)

            code = serve_app(app, socket, service.halt, started, certificate, key)
    import gc

    gc.freeze()  # all is stored and closed: looking through every object once more would only take seconds
    if code:
        raise typer.Exit(code)
