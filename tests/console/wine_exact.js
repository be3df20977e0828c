// What Wine lacks for exact reading (certutil -hashfile and -encode, findstr /n, find /c), for its own cscript.
//   sum FILE            its SHA-256, and the number of its lines
//   encode FILE TO      its base64 into another file, and the number of lines of that
//   rows FILE A B       its lines A to B as NUMBER:text (A 0: all)
var files = new ActiveXObject("Scripting.FileSystemObject");
var BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
// FileSystemObject reads bytes as code page 1252; these are the ones whose number is another one there.
var HIGH = "\u20AC\u0081\u201A\u0192\u201E\u2026\u2020\u2021\u02C6\u2030\u0160\u2039\u0152\u008D\u017D\u008F"
  + "\u0090\u2018\u2019\u201C\u201D\u2022\u2013\u2014\u02DC\u2122\u0161\u203A\u0153\u009D\u017E\u0178";

function read(name) {
  var file = files.OpenTextFile(name, 1), text = file.AtEndOfStream ? "" : file.ReadAll();
  file.Close();
  return text;
}

function bytes(text) {
  var all = [], code, i;
  for (i = 0; i < text.length; i++) {
    code = text.charCodeAt(i);
    all[i] = code < 128 || (code > 159 && code < 256) ? code : 128 + HIGH.indexOf(text.charAt(i));
  }
  return all;
}

function lines(text) {
  var all = text.split("\r\n");
  if (all[all.length - 1] === "") all.length--;
  return all;
}

function encode(all) {
  var text = "", i, three;
  for (i = 0; i < all.length; i += 3) {
    three = all[i] << 16 | all[i + 1] << 8 | all[i + 2];
    text += BASE64.charAt(three >> 18) + BASE64.charAt(three >> 12 & 63)
      + (i + 1 < all.length ? BASE64.charAt(three >> 6 & 63) : "=")
      + (i + 2 < all.length ? BASE64.charAt(three & 63) : "=");
    if (i % 48 === 45 || i + 3 >= all.length) text += "\r\n";
  }
  return text;
}

function fraction(number) { return (number - Math.floor(number)) * 4294967296 | 0; }

// FIPS 180-4; without inner functions and arrays in its rounds, which Wine's JScript makes slow.
function sha256(all) {
  var k = [], h = [], w = [], words = [], n, i, j, s, t, u, size = all.length;
  for (n = 2; k.length < 64; n++) {
    for (i = 2; i * i <= n && n % i; i++) {}
    if (i * i > n) {
      if (h.length < 8) h.push(fraction(Math.pow(n, 1 / 2)));
      k.push(fraction(Math.pow(n, 1 / 3)));
    }
  }
  var total = ((size + 8 >> 6) + 1) * 16;
  for (i = 0; i < total; i++) words[i] = 0;
  for (i = 0; i < size; i++) words[i >> 2] |= all[i] << 24 - (i & 3) * 8;
  words[size >> 2] |= 128 << 24 - (size & 3) * 8;
  words[total - 1] = size * 8;
  for (i = 0; i < total; i += 16) {
    var a = h[0], b = h[1], c = h[2], d = h[3], e = h[4], f = h[5], g = h[6], x = h[7];
    for (j = 0; j < 64; j++) {
      if (j < 16) w[j] = words[i + j];
      else {
        s = w[j - 15];
        t = w[j - 2];
        w[j] = w[j - 16] + w[j - 7] + ((s >>> 7 | s << 25) ^ (s >>> 18 | s << 14) ^ s >>> 3)
          + ((t >>> 17 | t << 15) ^ (t >>> 19 | t << 13) ^ t >>> 10) | 0;
      }
      t = x + ((e >>> 6 | e << 26) ^ (e >>> 11 | e << 21) ^ (e >>> 25 | e << 7)) + (e & f ^ ~e & g) + k[j] + w[j];
      u = ((a >>> 2 | a << 30) ^ (a >>> 13 | a << 19) ^ (a >>> 22 | a << 10)) + (a & b ^ a & c ^ b & c);
      x = g;
      g = f;
      f = e;
      e = d + t | 0;
      d = c;
      c = b;
      b = a;
      a = t + u | 0;
    }
    h = [h[0] + a | 0, h[1] + b | 0, h[2] + c | 0, h[3] + d | 0, h[4] + e | 0, h[5] + f | 0, h[6] + g | 0, h[7] + x | 0];
  }
  var text = "";
  for (i = 0; i < 8; i++) text += ("0000000" + (h[i] >>> 0).toString(16)).slice(-8);
  return text;
}

var verb = WScript.Arguments(0), text = read(WScript.Arguments(1)), found, file, i, first;
if (verb === "sum") {
  WScript.Echo(sha256(bytes(text)));
  WScript.Echo(lines(text).length);
} else if (verb === "encode") {
  text = encode(bytes(text));
  file = files.CreateTextFile(WScript.Arguments(2), true);
  file.Write(text);
  file.Close();
  WScript.Echo(lines(text).length);
} else {
  found = lines(text);
  first = Number(WScript.Arguments(2));
  for (i = 1; i <= found.length; i++)
    if (!first || i >= first && i <= Number(WScript.Arguments(3))) WScript.Echo(i + ":" + found[i - 1]);
}
