"""Samples of JSON bodies for the API's description: each works as it is, or names what has to be filled in."""

from typing import Final

from routes.openapi.schemas import Schema

# A drawing of a person, 32×32 px.
PICTURE: Final = (
    "iVBORw0KGgoAAAANSUhEUgAAACAAAAAgAgMAAAAOFJJnAAAACVBMVEX///8UPMjmtJYFlIthAAAAZElEQVR42qXNsRHCMBSD4c/vKFiAPnWyhIdg"
    "II9CSZMdMgojUKbgMAX2HS6gQdV/kk7ip+YLDigQBIXoeXBkGp1PuBHs3Xm2JeZr6yzrG06cCTJp2EmQv178ARW2IdqoBHcevABFPw2CkkZk8gAA"
    "AABJRU5ErkJggg=="
)
# In the order of preference: a picture that is sent works without any network.
VALUES: Final = {
    "image": PICTURE,
    "image_base64": PICTURE,
    "image_file_b64": PICTURE,
    "image_url": "https://example.com/photo.jpg",
    "path": "photo.txt",
}


def sample_body(schema: Schema) -> dict[str, str]:
    """Return a body with the least that the schema takes; {} for an unknown schema."""
    fields = schema.get("properties", {})
    return next(({name: value} for name, value in VALUES.items() if name in fields), {})
