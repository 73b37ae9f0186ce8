"""A real RTSP server, for the system's Python: `python3 rtsp_server.py PORT`. Says `ready` when it is.

Debian: apt-get install python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-{base,good}
/live is a moving ball, /still a picture that never changes; both 160 x 120 at 20 frames a second.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

Gst.init(None)
if not all(Gst.ElementFactory.find(name) for name in ("videotestsrc", "jpegenc", "rtpjpegpay")):
    sys.exit("GStreamer lacks its base or good plugins")
if len(sys.argv) > 1:
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(sys.argv[1])
    for place, pattern in (("/live", "ball"), ("/still", "smpte75")):
        factory = GstRtspServer.RTSPMediaFactory()
        shape = "video/x-raw,format=I420,width=160,height=120,framerate=20/1"
        picture = f"videotestsrc is-live=true pattern={pattern} ! {shape}"
        factory.set_launch(f"( {picture} ! jpegenc ! rtpjpegpay name=pay0 pt=26 )")
        server.get_mount_points().add_factory(place, factory)
    if not server.attach(None):
        sys.exit("the port is taken")
    print("ready", flush=True)
    GLib.MainLoop().run()
