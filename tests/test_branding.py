"""Whose report it is, and for whom."""

import base64
import io
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from auditlib.branding import Branding, branding_of
from auditlib.cli import main
from auditlib.errors import ParameterError
from auditlib.pseudonyms import Pseudonyms
from auditlib.report import report
from auditlib.schedule import config_of
from auditlib.snapshot import save
from tests import report_worlds
from tests.pages import page


def picture(path: Path, size=(900, 300), kind="PNG", **more) -> Path:
    Image.new("RGB", size, (20, 60, 120)).save(path, kind, **more)
    return path


def written(folder: Path, text: str, name: str = "brand.yaml") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


WHOLE = """\
branding:
  consultant: "Kaede & <b>Söhne</b>"
  client: Acme "Holdings"
  contact: audit@example.com
  logo: pictures/logo.png
"""


@pytest.fixture
def brand(tmp_path) -> Branding:
    (tmp_path / "pictures").mkdir()
    picture(tmp_path / "pictures" / "logo.png")
    found = branding_of(written(tmp_path, WHOLE))
    assert found is not None
    return found


def shown(logo: str) -> Image.Image:
    found = re.fullmatch(r"data:image/(png|jpeg);base64,([A-Za-z0-9+/=]+)", logo)
    assert found
    return Image.open(io.BytesIO(base64.b64decode(found[2])))


# -- the file -------------------------------------------------------------------------------------


def test_every_key_is_read_and_the_logo_is_seen_from_the_file(brand):
    assert brand.consultant == "Kaede & <b>Söhne</b>"
    assert (brand.client, brand.contact) == ('Acme "Holdings"', "audit@example.com")
    assert shown(brand.logo).size == (576, 192)


def test_a_file_without_the_section_has_no_branding(tmp_path):
    assert branding_of(written(tmp_path, "output: runs\n")) is None


def test_every_key_may_be_left_out(tmp_path):
    found = branding_of(written(tmp_path, "branding:\n  client: Acme\n"))
    assert found == Branding(client="Acme")


def test_the_file_of_scheduled_runs_takes_it_too(tmp_path):
    text = 'output: out\nregions: [eu-west-1]\naccounts:\n  - account: "111122223333"\n'
    path = written(tmp_path, f"{text}branding:\n  consultant: Kaede\n", "runs.yaml")
    assert config_of(path).branding == branding_of(path) == Branding(consultant="Kaede")
    assert config_of(written(tmp_path, text)).branding is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("branding:\n  colour: red\n", 'brand.yaml:2: There is no key called "colour"'),
        ("brandin: x\n", 'brand.yaml:1: There is no key called "brandin". Did you mean branding'),
        ("branding: Kaede\n", "brand.yaml:1: branding must be a list of KEY: VALUE"),
        ("branding:\n  client: [a]\n", "brand.yaml:2: a text is wanted here"),
        ("branding:\n  client: a\n  client: b\n", "brand.yaml:3: client is given twice"),
        (f"branding:\n  client: {'x' * 201}\n", "brand.yaml:2: client is longer than 200"),
        ("branding:\n  logo: none.png\n", "brand.yaml:2: the logo none.png cannot be read"),
        ("branding:\n  logo: https://example.com/x.png\n", "brand.yaml:2: https://"),
        ("branding:\n  logo: text.png\n", "brand.yaml:2: the logo text.png is no PNG or JPEG"),
        ("branding:\n  logo: logo.svg\n", "the logo logo.svg is no PNG or JPEG"),
        ("branding:\n  logo: logo.gif\n", "the logo logo.gif is no PNG or JPEG"),
        ("branding:\n  logo: cut.png\n", "the logo cut.png is no PNG or JPEG that can be read"),
        ("branding:\n  logo: vast.png\n", "the logo vast.png has 6000 × 6000 pixels"),
        ("branding:\n  logo: noise.png\n", "bytes in every page"),
        ("branding:\n  logo: [\n", "brand.yaml:3: no YAML"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line(text, why, tmp_path):
    (tmp_path / "text.png").write_text("no picture", "utf-8")
    (tmp_path / "logo.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>", "utf-8")
    picture(tmp_path / "logo.gif", kind="GIF")
    cut = picture(tmp_path / "whole.png").read_bytes()[:120]
    (tmp_path / "cut.png").write_bytes(cut)
    picture(tmp_path / "vast.png", (6000, 6000))
    Image.effect_noise((640, 192), 200).save(tmp_path / "noise.png")
    with pytest.raises(ParameterError) as told:
        branding_of(written(tmp_path, text))
    assert why in str(told.value)
    assert str(told.value).startswith("brand.yaml:")


def test_what_a_picture_file_holds_beside_the_picture_stays_out(tmp_path):
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("Author", "Zebra of room 7")
    picture(tmp_path / "logo.png", pnginfo=info)
    with (tmp_path / "logo.png").open("ab") as file:
        file.write(b"<script>Zebra</script>")
    picture(tmp_path / "logo.jpg", kind="JPEG", comment=b"Zebra")
    for name in ("logo.png", "logo.jpg"):
        found = branding_of(written(tmp_path, f"branding:\n  logo: {name}\n"))
        assert found is not None
        assert b"Zebra" not in base64.b64decode(found.logo.partition(",")[2])


# -- the pages ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("branded") / "snapshot"
    save(report_worlds.empty().snapshot(), path)
    return path


def test_every_page_says_whose_it_is_and_for_whom_and_obeys_nothing(snapshot, brand, tmp_path):
    made = report(snapshot, tmp_path / "out", ["00"], branding=brand)
    for path in (made.index, *made.pages):
        parsed = page(path.read_text("utf-8"))
        assert not parsed.problems
        assert parsed.words.count('Prepared for Acme "Holdings"') == 2
        assert "Prepared by Kaede & <b>Söhne</b>" in parsed.words
        assert "Contact audit@example.com" in parsed.words
        (logo,) = (image for image in parsed.all("img") if image["src"] == brand.logo)
        assert logo["alt"] == brand.consultant


def test_a_page_without_branding_says_nothing_of_it(snapshot, tmp_path):
    made = report(snapshot, tmp_path / "out", ["00"])
    for path in (made.index, *made.pages):
        assert "Prepared" not in path.read_text("utf-8")
        assert 'class="brand"' not in path.read_text("utf-8")


def test_a_redacted_report_does_not_say_for_whom_it_is(snapshot, brand, tmp_path):
    made = report(
        snapshot, tmp_path / "out", ["00"], branding=brand, redaction=Pseudonyms(b"k" * 32)
    )
    for path in (made.index, *made.pages):
        text = path.read_text("utf-8")
        assert "Acme" not in text
        assert "Prepared by" in text


def test_the_command_takes_a_config_file(snapshot, tmp_path):
    config = written(tmp_path, "branding:\n  consultant: Kaede\n")
    base = ["report", str(snapshot), "--notebook", "00", "--out", str(tmp_path / "out"), "--config"]
    done = CliRunner().invoke(main, [*base, str(config)])
    assert done.exit_code == 0, done.output
    assert "Prepared by" in (tmp_path / "out" / "index.html").read_text("utf-8")
    done = CliRunner().invoke(main, [*base, str(written(tmp_path, "branding: x\n"))])
    assert done.exit_code == 2
    assert "brand.yaml:1" in done.output
