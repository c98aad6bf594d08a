"""rclone: many remotes with OAuth tokens in one file."""
from ..bench import PEER, Contestant
from ..home import consented
from ..install import found


def status(bench, count):
    if not found("rclone"):
        return None
    folder = bench.new("rclone")
    token = ('{{"access_token":"access-{0:060}","token_type":"Bearer","refresh_token":"refresh-{0:060}",'
             '"expiry":"2030-01-01T00:00:00Z"}}')
    config = folder / "rclone.conf"
    config.write_text("".join(f"[store{at}]\ntype = yandex\nclient_id = a\ntoken = {token.format(at)}\n\n" for at in range(count)))
    run = bench.timed(["rclone", "--config", config, "config", "dump"], bench.environment(folder))
    return Contestant(PEER, "rclone config dump", run)


def consent(bench, address):
    """The backend is one that asks nothing after the consent; its own listener has a fixed port."""
    if not found("rclone"):
        return None
    folder = bench.new("rclone")
    config = folder / "rclone.conf"
    words = ["rclone", "--config", config, "config", "create", "store", "yandex", "client_id=a", "client_secret=b",
             f"auth_url={address}/oauth", f"token_url={address}/oauth/token"]
    run = consented(bench, words, bench.environment(folder), before=lambda _: config.unlink(missing_ok=True))
    return Contestant(PEER, "rclone config create", run, "a plain file")
