/** The programs of the WebGL2 renderer. Colours are mixed as sRGB values, as the server mixes them. */

/** A rectangle in device px; `uv` runs from 0 to 1 over it. */
export const VERTEX = `#version 300 es
uniform vec4 rect;
uniform vec2 size;
out vec2 uv;
void main() {
  uv = vec2(gl_VertexID & 1, gl_VertexID >> 1);
  vec2 at = mix(rect.xy, rect.zw, uv) / size * 2.0 - 1.0;
  gl_Position = vec4(at.x, -at.y, 0, 1);
}`;

/** The result's canvas without its subject: checker, ground, shadow. */
export const GROUND = `#version 300 es
precision highp float;
uniform int kind;
uniform vec4 first, second;
uniform vec3 checkerA, checkerB;
uniform float square, split;
uniform vec2 towards, side, size;
uniform vec4 pictureArea, shadowArea;
uniform sampler2D picture, shadow;
in vec2 uv;
out vec4 colour;
void main() {
  if (gl_FragCoord.x < split) discard;
  vec2 cell = floor(vec2(gl_FragCoord.x, size.y - gl_FragCoord.y) / square);
  vec3 found = mod(cell.x + cell.y, 2.0) < 0.5 ? checkerA : checkerB;
  if (kind == 1) found = mix(found, first.rgb, first.a);
  if (kind == 2) found = mix(first.rgb, second.rgb, clamp(dot((uv - 0.5) * side, towards) + 0.5, 0.0, 1.0));
  if (kind == 3) found = texture(picture, pictureArea.xy + uv * pictureArea.zw).rgb;
  vec2 at = shadowArea.xy + uv * shadowArea.zw;
  if (shadowArea.z != 0.0 && all(greaterThanEqual(at, vec2(0))) && all(lessThanEqual(at, vec2(1)))) found *= 1.0 - texture(shadow, at).r;
  colour = vec4(found, 1);
}`;

/** One tile of the photo, cut out by its mask. */
export const PHOTO = `#version 300 es
precision highp float;
uniform sampler2D photo, mask, own, contrast;
uniform int overlay;
uniform bool whole, clean;
uniform float split, grid;
uniform vec2 pixels;
uniform vec4 place;
in vec2 uv;
out vec4 colour;
void main() {
  vec4 seen = texture(photo, uv);
  float kept = texture(mask, uv).r;
  bool before = whole || gl_FragCoord.x < split;
  float alpha = before ? 1.0 : kept;
  vec3 found = seen.rgb;
  // Where the photo is transparent itself, the server leaves its colours as they are.
  if (clean && !before && seen.a > 0.998 && kept > 0.0118 && kept < 0.984) {
    vec2 at = place.xy + uv * place.zw;
    vec3 guess = texture(own, at).rgb;
    vec3 differs = (texture(contrast, at).rgb * 255.0 - 128.0) / 127.0;
    vec3 lacks = (1.0 - kept) * differs + found - guess;
    found = clamp(guess + kept * lacks, 0.0, 1.0);
  }
  alpha = min(alpha, seen.a);
  vec4 result = vec4(found * alpha, alpha);
  if (!before && overlay == 1) result = vec4(mix(mix(seen.rgb, vec3(0.9, 0.1, 0.15), 0.62 * (1.0 - kept)), seen.rgb, kept), 1);
  if (!before && overlay == 3) result = vec4(vec3(kept), 1);
  if (!before && overlay == 2) {
    // The outline runs where neighbours on the screen lie on both sides of one half.
    vec2 step = vec2(dFdx(uv.x), dFdy(uv.y)) * 1.25;
    float east = texture(mask, uv + vec2(step.x, 0)).r, west = texture(mask, uv - vec2(step.x, 0)).r;
    float north = texture(mask, uv + vec2(0, step.y)).r, south = texture(mask, uv - vec2(0, step.y)).r;
    float most = max(max(east, west), max(north, south)), least = min(min(east, west), min(north, south));
    result = vec4(mix(seen.rgb, vec3(dot(seen.rgb, vec3(0.3, 0.6, 0.1))), 0.5 * (1.0 - kept)), 1);
    if (least < 0.5 && most >= 0.5) result = vec4(vec3(mod(floor((gl_FragCoord.x + gl_FragCoord.y) / 4.0), 2.0)), 1);
  }
  if (grid > 0.0) {
    vec2 line = fract(uv * pixels) * grid;
    if (line.x < 1.0 || line.y < 1.0) result = mix(result, vec4(vec3(0.5), 1), 0.35);
  }
  colour = result;
}`;

/** One colour. */
export const FLAT = `#version 300 es
precision highp float;
uniform vec4 fill;
out vec4 colour;
void main() { colour = fill; }`;
