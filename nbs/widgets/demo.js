// The page of app.py: one sheet, drawn on or sent, and what both models say of it. Every change of the sheet gets a number,
// and an answer is shown only while the sheet still has the number that it was asked with.

import {clamp} from './maths.js';
import {Pad, packStrokes, start, unpackStrokes, write, writeAddress} from './page.js';

const style = Object.assign(document.createElement('link'), {rel: 'stylesheet', href: new URL('demo.css', import.meta.url)});
document.head.append(style);
await new Promise(done => style.onload = style.onerror = done);  // so that nothing moves later

const LARGEST = 1600, SENT = 280;  // pixels of the longer side: of a picture that is shown, of a drawing that is sent
const TOO_SLOW = 30_000, SETTLED = 150;  // ms
const OFFLINE = {words: 'No answer.', note: 'The server cannot be reached.', advice: 'Check the connection, and try again.', again: true};
const READING = {words: 'Reading…', state: 'reading'};
const WAITING = {words: 'Draw a 3 or a 7.', note: 'Or send a picture of one.'};

const ANEW = 'Draw one digit alone, large and upright.';  // what helps a drawing

const EDITS = ['left', 'right', 'closer', 'crop'];

function percents(bars) {  // never rounded up to a surer word; two make 100
  const tenths = Math.min(999, Math.floor(1000*Math.max(...Object.values(bars))));
  return Object.values(bars).map((p, i) => {
    const shown = (i ? 1000 - tenths : tenths)/10;  // the likelier comes first
    return shown === 99.9 ? '>99.9%' : shown === .1 ? '<0.1%' : `${shown.toFixed(1)}%`;
  });
}

const blobOf = (canvas, type = 'image/png') => new Promise(done => canvas.toBlob(done, type, .92));

function canvasOf(image, width, height, turn = 0) {  // an image, so large; turned by quarters, clockwise
  const canvas = document.createElement('canvas'), c = canvas.getContext('2d');
  [canvas.width, canvas.height] = turn % 2 ? [height, width] : [width, height];
  c.translate(canvas.width/2, canvas.height/2);
  c.rotate(turn*Math.PI/2);
  c.drawImage(image, -width/2, -height/2, width, height);
  return canvas;
}

async function decode(file) {  // null for what the browser cannot show
  const image = await createImageBitmap(file).catch(() => null);
  if (!image) return null;
  const scale = Math.min(1, LARGEST/Math.max(image.width, image.height));
  return canvasOf(image, Math.max(1, Math.round(scale*image.width)), Math.max(1, Math.round(scale*image.height)));
}

export function begin(box, url, server, upload) {  // in the page that app.py makes
  Object.assign(box, {url, server, upload: async file => upload(file)});
  return start();
}

export default async function demo(parts, {examples, most, book, issues, many}, root) {
  const {paper, photo, film, unseen, place, hint, drawing, sending, input, answer, actions, done} = parts;
  let number = 0, answered = -1, asking = false, later, picture = null, reply = WAITING, corners = null, held = false;

  // ---- the sheet: a drawing, or a picture {file, canvas}

  const pad = new Pad(paper, changed);
  const empty = () => !picture && pad.empty;
  const busyHand = () => held || pad.down;

  function soon(ms) { clearTimeout(later); later = setTimeout(ask, ms); }

  function changed() {
    number++;
    writeAddress({drawing: null});
    soon(SETTLED);
    show(empty() ? WAITING : READING);
  }

  function put(next) {  // a picture; null gives the pad back
    stopFilm();
    if (cropping()) crop(false);
    picture = next;
    paper.hidden = drawing.hidden = !!picture;
    sending.hidden = !picture;
    photo.hidden = !picture?.canvas;
    unseen.hidden = !picture || !!picture.canvas;
    unseen.textContent = picture ? `${picture.file.name || 'A file'}: there is nothing to show.` : '';
    for (const name of EDITS) parts[name].disabled = !picture?.canvas;
    if (picture?.canvas) {
      Object.assign(photo, {width: picture.canvas.width, height: picture.canvas.height, ariaLabel: 'The picture that you sent'});
      photo.getContext('2d').drawImage(picture.canvas, 0, 0);
      photo.parentElement.style.width = `${100*Math.min(1, photo.width/photo.height)}%`;  // of the sheet, a square
    }
    changed();
  }

  async function take(file) {
    if (!file) return;
    const fits = file.size <= most, asked = ++number;
    show(READING);
    const canvas = fits ? await decode(file) : null;
    if (asked !== number) return;  // something else was done meanwhile
    put({file, canvas});
    if (fits) return;
    answered = number;  // it is not sent
    show({words: 'No answer.', note: `This file has more than ${most/1e6} MB.`, advice: 'Send a smaller picture.'});
  }

  async function edit(x, y, width, height, turn) {  // a part of the picture, in its pixels, perhaps turned
    number++;
    show(READING);
    for (const name of EDITS) parts[name].disabled = true;
    const cut = document.createElement('canvas');
    Object.assign(cut, {width, height}).getContext('2d').drawImage(picture.canvas, -x, -y);
    const canvas = canvasOf(cut, width, height, turn), {name} = picture.file;
    put({file: new File([await blobOf(canvas, 'image/jpeg')], name || 'picture.jpg'), canvas});
  }

  // ---- questions

  async function ask() {
    if (asking || busyHand()) return;
    asking = true;
    while (answered !== number && !busyHand()) {
      const asked = number;
      let said = WAITING;
      if (!empty()) said = await Promise.race([send(), new Promise(end => setTimeout(end, TOO_SLOW, OFFLINE))]).catch(() => OFFLINE);
      if (asked !== number) continue;
      answered = asked;
      show({...said, number});
    }
    asking = false;
  }

  async function send() {
    const file = picture?.file ?? new File([await drawn()], 'drawing.png', {type: 'image/png'}), {path} = await root.upload(file);
    return root.server.look(path);
  }

  function drawn() {  // the drawing alone, as a PNG
    const canvas = Object.assign(document.createElement('canvas'), {width: SENT, height: SENT});
    pad.paintStrokes(canvas.getContext('2d'), SENT);
    return blobOf(canvas);
  }

  function frame([x0, y0, x1, y1]) {  // a box on the sheet, from one corner to the other, in shares of what is seen
    (picture ? photo : paper).after(place);
    place.hidden = false;
    Object.assign(place.style, {left: `${100*Math.min(x0, x1)}%`, top: `${100*Math.min(y0, y1)}%`, width: `${100*Math.abs(x1 - x0)}%`, height: `${100*Math.abs(y1 - y0)}%`});
  }

  // ---- answers

  function show(said) {
    reply = said;
    answer.dataset.state = said.state ?? (said.pictures ? 'answered' : said.again || said.advice ? 'refused' : 'waiting');
    const advice = said.pictures && said.advice && !picture ? ANEW : said.advice;
    for (const [name, text] of Object.entries({words: said.words, note: said.note, advice})) parts[name].textContent = text ?? '';
    parts.retry.hidden = !said.again;
    done.textContent = '';
    for (const name of ['linear', 'cnn']) {
      const bars = said.bars?.[name] ?? {3: 0, 7: 0}, shares = said.bars ? percents(bars) : ['', ''];
      parts[`${name}_bars`].innerHTML = Object.entries(bars).map(([digit, p], i) => `<div class="${{3: 'three', 7: 'seven'}[digit] ?? ''}"><b>${digit}</b><i style="width: ${100*p}%"></i><span>${shares[i].replace('<', '&lt;')}</span></div>`).join('');
    }
    for (const name of ['seen', 'linear_why', 'cnn_why']) said.pictures ? parts[name].src = said.pictures[name] : parts[name].removeAttribute('src');
    parts.legend.innerHTML = said.legend ?? '';
    place.hidden = true;
    if (said.box && (!picture || picture.canvas)) frame(said.box);
    actions.style.visibility = said.pictures ? '' : 'hidden';
    parts.link.hidden = !!picture;
    if (said.pictures) parts.wrong.href = `${issues}?${new URLSearchParams({title: `Wrong: “${said.words}”`, body: report(said)})}`;
    if (said.state !== 'reading') write(parts.spoken, [said.words, said.note, advice].filter(Boolean).join(' '));
  }

  const report = said => `It shows a …\n\nThe answer was: ${said.words} ${said.note}\n\n${picture ? 'Please add the picture here.' : `The drawing: ${address()}`}`;

  function address() {
    const url = new URL(location.href);
    url.searchParams.set('drawing', packStrokes(pad.strokes, pad.radius));
    return url.href;
  }

  // ---- the camera

  async function useCamera() {
    if (!film.hidden) {
      const canvas = canvasOf(film, film.videoWidth, film.videoHeight), blob = await blobOf(canvas, 'image/jpeg');
      return take(new File([blob], 'photo.jpg'));
    }
    const stream = await navigator.mediaDevices.getUserMedia({video: {facingMode: 'environment'}}).catch(() => null);
    if (!stream) return show({words: 'No camera.', note: 'The browser does not give this page a camera.', advice: 'Choose a picture instead.'});
    put(null);
    show({words: 'Take a photo of a digit.', note: 'Or press “Draw”.'});
    answered = number;
    for (const name of EDITS) parts[name].disabled = true;
    paper.hidden = drawing.hidden = true;
    sending.hidden = film.hidden = false;
    film.srcObject = stream;
    parts.camera.textContent = 'Take the photo';
    film.play();
  }

  function stopFilm() {
    film.srcObject?.getTracks().forEach(track => track.stop());
    film.srcObject = null;
    film.hidden = true;
    parts.camera.textContent = 'Camera';
  }

  parts.camera.hidden = !navigator.mediaDevices?.getUserMedia;

  // ---- what the reader does

  parts.undo.onclick = () => pad.undo();
  parts.clear.onclick = () => pad.clear();
  parts.away.onclick = () => put(null);
  parts.pen.onchange = () => { pad.radius = +parts.pen.value; pad.set(pad.strokes); };
  parts.lines.onchange = () => pad.paint();
  pad.overlay = c => {
    if (!parts.lines.checked) return;
    c.fillStyle = '#2166ac55';
    for (let at = 14; at < Pad.size; at += 28) c.fillRect(-.5, at, Pad.size, .5);
  };
  paper.addEventListener('gotpointercapture', () => { held = true; });
  paper.addEventListener('lostpointercapture', () => { held = false; soon(0); });
  pad.onpen = down => write(parts.spoken, down ? 'Pen down.' : 'Pen up.');
  for (const event of ['keyup', 'blur']) paper.addEventListener(event, () => soon(SETTLED));
  parts.left.onclick = () => edit(0, 0, photo.width, photo.height, 3);
  parts.right.onclick = () => edit(0, 0, photo.width, photo.height, 1);
  parts.closer.onclick = () => {  // around what was read, or the middle
    const [left, top, right, bottom] = reply.box ?? [.25, .25, .75, .75], {width, height} = photo;
    const side = Math.max((right - left)*width, (bottom - top)*height)*1.8, x = (left + right)/2*width - side/2, y = (top + bottom)/2*height - side/2;
    const [x0, y0, x1, y1] = [Math.max(0, x), Math.max(0, y), Math.min(width, x + side), Math.min(height, y + side)].map(Math.round);
    edit(x0, y0, Math.max(8, x1 - x0), Math.max(8, y1 - y0), 0);
  };
  // a part to cut out: two corners, in shares of the picture; by pointer, or by keys

  const cropping = () => parts.crop.ariaPressed === 'true';
  function crop(on) {
    parts.crop.ariaPressed = String(on);
    photo.classList.toggle('cropping', on);
    hint.hidden = !on;
    corners = on ? [[.25, .25], [.75, .75]] : null;
    if (on) { frame(corners.flat()); photo.focus(); }
  }
  function cut() {
    const [[x0, y0], [x1, y1]] = corners, {width, height} = photo, sides = [Math.abs(x1 - x0)*width, Math.abs(y1 - y0)*height].map(Math.round);
    held = false;
    crop(false);
    if (Math.min(...sides) > 8) edit(Math.round(Math.min(x0, x1)*width), Math.round(Math.min(y0, y1)*height), ...sides, 0);
    else show(reply);
  }
  const at = event => {
    const box = photo.getBoundingClientRect(), share = (v, low, size) => clamp((v - low)/size);
    return [share(event.clientX, box.left, box.width), share(event.clientY, box.top, box.height)];
  };
  parts.crop.onclick = () => { crop(!cropping()); if (!cropping()) show(reply); };
  photo.onpointerdown = event => {
    if (!cropping()) return;
    event.preventDefault();
    photo.setPointerCapture(event.pointerId);
    held = true;
    corners = [at(event), at(event)];
  };
  photo.onpointermove = event => {
    if (!photo.hasPointerCapture(event.pointerId)) return;
    corners[1] = at(event);
    frame(corners.flat());
  };
  photo.onlostpointercapture = cut;
  photo.onkeydown = event => {
    const by = {ArrowLeft: [-.05, 0], ArrowRight: [.05, 0], ArrowUp: [0, -.05], ArrowDown: [0, .05]}[event.key];
    if (!cropping() || !by && !['Enter', 'Escape'].includes(event.key)) return;
    event.preventDefault();
    if (event.key === 'Enter') cut();
    else if (event.key === 'Escape') parts.crop.click();
    else {
      const moved = event.shiftKey ? corners.slice(1) : corners, along = axis => moved.map(corner => corner[axis]);
      const [dx, dy] = by.map((v, axis) => clamp(v, -Math.min(...along(axis)), 1 - Math.max(...along(axis))));
      for (const corner of moved) { corner[0] += dx; corner[1] += dy; }
      frame(corners.flat());
    }
  };
  parts.choose.onclick = () => input.click();
  input.onchange = () => { take(input.files[0]); input.value = ''; };
  parts.camera.onclick = useCamera;
  parts.retry.onclick = () => { answered = -1; show(READING); ask(); };
  parts.link.onclick = async () => {
    history.replaceState(history.state, '', address());  // until the drawing changes
    try { await navigator.clipboard.writeText(address()); done.textContent = 'Copied. The link holds the drawing itself.'; }
    catch { done.textContent = 'The link is in the address bar; copy it from there.'; }
  };
  parts.save.onclick = async () => {
    const href = URL.createObjectURL(picture?.file ?? await drawn()), name = picture?.file.name || 'drawing.png';
    Object.assign(document.createElement('a'), {href, download: name}).click();
    setTimeout(() => URL.revokeObjectURL(href), 10_000);
    done.textContent = `Saved as ${name}.`;
  };
  document.addEventListener('paste', event => {
    const [file] = event.clipboardData.files;
    if (file) { event.preventDefault(); take(file); }
  });
  document.addEventListener('dragover', event => event.preventDefault());
  document.addEventListener('drop', event => { event.preventDefault(); take(event.dataTransfer.files[0]); });

  for (const path of examples) {
    const url = root.url(path), file = path.split('/').at(-1), name = file.match(/example-\d-(.*)[.]/)[1].replaceAll('-', ' ');
    const button = document.createElement('button'), image = Object.assign(document.createElement('img'), {src: url, alt: '', width: 64, height: 64});
    button.ariaLabel = name;
    button.append(image);
    button.onclick = async () => take(new File([await (await fetch(url)).blob()], file));
    parts.examples.append(button);
  }
  parts.many.textContent = `${many.toLocaleString('en')} numbers`;
  for (const [name, page] of Object.entries({linear_link: 'explain', cnn_link: 'answer', seen_link: 'prepare'})) parts[name].href = `${book}/${page}.html`;
  const link = new URLSearchParams(location.search).get('drawing'), given = link && unpackStrokes(link);
  if (given) {
    pad.radius = given.radius;
    parts.pen.value = `${given.radius}`;
    pad.set(given.strokes);
    writeAddress({drawing: link});
  } else show(link === null ? WAITING : {...WAITING, note: 'This link is incomplete: its drawing cannot be read.'});
}
