// One step of learning, on one image: forward, backward, update, each number a picture. Beside 02_linear, whose cell computes the same.

import {LOSSES, backward, evidence, logits, sgdStep, sigmoid} from './maths.js';
import {Spoken, button, captioned, choice, colour, column, el, grey, paintPixels, paintPlot, picture, redBlue, row, slider} from './page.js';

const RATES = [.001, .003, .01, .03, .1, .3, 1];
const signed = v => (v < 0 ? '−' : '+') + Math.abs(v).toFixed(4);

function takeStep(model, x, y, loss, lr) {  // every number of it
  const z = logits(model, x), dz = LOSSES[loss].grad(z, [y]), grad = backward(x, dz, x.length), next = {w: model.w.slice(), b: model.b};
  sgdStep(next, grad, lr);
  const after = logits(next, x), see = z => ({z: z[0], p: sigmoid(z[0]), loss: LOSSES[loss].loss(z, [y])});
  return {product: evidence(model, x), grad, dz: dz[0], next, before: see(z), after: see(after)};
}

export default function step(root, {images, labels, w, b, lr, digits = ['three', 'seven']}) {
  const xs = images.map(bytes => Float64Array.from(bytes, v => v/255));
  let model, stage, at = 406, steps;  // at: the pixel that is looked into
  const view = text => captioned(picture('', 130), text);
  const image = view('the image x'), weights = view('the weights w'), product = view('the product w·x'), gradient = view('gradient of w: slope · x'), moved = view('new w: w − lr · gradient');
  const sigma = captioned(picture('', 250, 150), 'the sigmoid: p = σ(z)'), hill = captioned(picture('', 250, 150), 'the loss of this image, by logit');
  const forward = column(row(product, el('p', {className: 'widget-numbers'})), row(sigma, hill)), back = row(gradient, el('p', {className: 'widget-numbers'})), update = row(moved, el('p', {className: 'widget-numbers'}));
  const inspected = el('p', {className: 'widget-numbers'}), spoken = new Spoken();

  const which = choice('Image', Object.fromEntries(labels.map((y, i) => [i, `a ${digits[1 - y]}, y = ${y}`])), 0, () => begin());
  const loss = choice('Loss', {mean: 'mean |y − p|', bce: 'cross-entropy'}, 'mean', () => begin());
  const rate = slider('Learning rate', RATES, lr, () => show());
  const go = ['Forward', 'Backward', 'Update'].map((name, i) => button(name, () => {
    if (i === 0 && stage === 3) { model = current().next; steps++; }
    stage = i + 1;
    show(true);
    if (go[stage % 3].disabled === false) go[stage % 3].focus();
  }));

  const current = () => takeStep(model, xs[which.value], labels[which.value], loss.value, rate.value);

  function begin() {
    model = {w: Float64Array.from(w), b};
    stage = steps = 0;
    show();
  }

  function paintPixel({canvas}, values, colours, text, strongest = 1) {
    canvas.draw((c, side) => {
      paintPixels(c, Float64Array.from(values, v => v/strongest), colours, 0, 0, side);
      c.strokeStyle = '#1f9d55'; c.lineWidth = 2;
      c.strokeRect(at % 28*side/28 - .5, Math.floor(at/28)*side/28 - .5, side/28 + 1, side/28 + 1);
    }, text);
  }

  function paintCurve({canvas}, f, points, ylim, text) {  // f of the logit, and where this image is on it
    const ends = [Math.min(-6, ...points.map(([z]) => z - 1)), Math.max(6, ...points.map(([z]) => z + 1))], curve = Array.from({length: 121}, (_, i) => ends[0] + i/120*(ends[1] - ends[0])).map(z => [z, f(z)]);
    canvas.draw((c, width, height) => paintPlot(c, width, height, root, {xlim: ends.map(v => Math.round(v)), ylim, xlabel: 'logit z', lines: [{points: curve, colour: colour(root, 'w-soft')},
      ...points.map(([z, value, slope], i) => ({points: slope === undefined ? [[z, value]] : [[z - 2, value - 2*slope], [z + 2, value + 2*slope]], dots: slope === undefined ? 5 : 0, colour: colour(root, i ? 'w-seven' : 'w-three')}))]}), text);
  }

  function show(say) {
    const s = current(), x = xs[which.value], y = labels[which.value], now = LOSSES[loss.value], {before, after} = s;
    go.forEach((b, i) => { b.disabled = i !== stage % 3; });
    [forward, back, update].forEach((part, i) => { part.hidden = stage <= i; });
    paintPixel(image, x, grey, `The image: a ${digits[1 - y]}`);
    paintPixel(weights, model.w, redBlue, 'The weights, red above zero and blue below', 2);
    paintPixel(product, s.product, redBlue, 'Weight times ink, pixel by pixel', 2);
    paintPixel(gradient, s.grad.w, redBlue, 'The gradient: the image, times the slope of the loss', .3);
    paintPixel(moved, s.next.w, redBlue, 'The new weights', 2);
    const then = stage > 2, logit = z => now.loss([z], [y]);
    paintCurve(sigma, sigmoid, [[before.z, before.p], ...then ? [[after.z, after.p]] : []], [0, 1], `The sigmoid: ${before.p.toFixed(4)} at ${signed(before.z)}${then ? `, and after the step ${after.p.toFixed(4)} at ${signed(after.z)}` : ''}`);
    paintCurve(hill, logit, [[before.z, before.loss], ...stage > 1 ? [[before.z, before.loss, s.dz]] : [], ...then ? [[after.z, after.loss]] : []], [0, Math.max(1, Math.ceil(Math.max(before.loss, after.loss)))], `The loss: ${before.loss.toFixed(4)}${stage > 1 ? `, its slope ${signed(s.dz)}` : ''}`);
    const words = [`Add it all up, and the bias ${signed(model.b)}: the logit is z = ${signed(before.z)}. The sigmoid makes of it p = ${before.p.toFixed(4)}, the probability of a three. The label is y = ${y}, so the loss is ${before.loss.toFixed(4)}.`,
      `The slope of the loss in the logit is ${signed(s.dz)}. A weight moves the logit by its pixel's ink, so the gradient is that slope times the image; for the bias it is ${signed(s.grad.b)}.`,
      `Each weight moves by ${rate.value} times its gradient, against it. The same image now gets z = ${signed(after.z)}, p = ${after.p.toFixed(4)} and the loss ${after.loss.toFixed(4)}.`];
    [forward, back, update].forEach((part, i) => { part.querySelector('p').textContent = words[i]; });
    inspected.textContent = `Pixel in row ${Math.floor(at/28)}, column ${at % 28}: ink ${x[at].toFixed(4)}, weight ${signed(model.w[at])}` + (stage > 0 ? `, product ${signed(s.product[at])}` : '') + (stage > 1 ? `, gradient ${signed(s.grad.w[at])}` : '') + (then ? `, new weight ${signed(s.next.w[at])}.` : '.');
    if (say) spoken.say(`Step ${steps + 1}, ${go[stage - 1].textContent}. ${words[stage - 1]}`);
  }

  const lookAt = pixel => { at = pixel; show(); };
  for (const {canvas} of [image, weights, product, gradient, moved]) canvas.addEventListener('pointerdown', event => lookAt(28*Math.min(27, Math.floor(28*event.offsetY/canvas.clientHeight)) + Math.min(27, Math.floor(28*event.offsetX/canvas.clientWidth))));
  image.canvas.tabIndex = 0;
  image.canvas.setAttribute('role', 'application');
  image.canvas.setAttribute('aria-description', 'The arrow keys choose a pixel to look into');
  image.canvas.addEventListener('keydown', event => {
    const by = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -28, ArrowDown: 28}[event.key];
    if (!by) return;
    event.preventDefault();
    lookAt((at + by + 784) % 784);
  });
  root.append(row(which, loss, rate), row(...go, button('Start again', begin)), row(image, weights), inspected, forward, back, update, spoken.element);
  begin();
}
