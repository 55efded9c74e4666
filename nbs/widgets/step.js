// One step of learning, on one image: forward, backward, update. Beside 03_linear, whose cell computes the same.

import {LOSSES, backward, clamp, evidence, logits, sgdStep, sigmoid} from './maths.js';
import {grey, pointing, redBlue} from './page.js';

const {ceil, floor, max, min, sign} = Math;

const signed = v => (v < 0 ? '−' : '+') + Math.abs(v).toFixed(4);

function takeStep(model, x, y, {loss, grad}, lr) {
  const z = logits(model, x), dz = grad(z, [y]), slopes = backward(x, dz, x.length), next = {w: model.w.slice(), b: model.b};
  sgdStep(next, slopes, lr);
  const see = z => ({z: z[0], p: sigmoid(z[0]), loss: loss(z, [y])});
  return {parts: evidence(model, x), slopes, dz: dz[0], next, before: see(z), after: see(logits(next, x))};
}

function curve(canvas, f, dots, top, slope) {  // f, where this image is on it, and the slope there
  const zs = dots.map(([z]) => z), from = floor(min(-6, ...zs)), to = ceil(max(6, ...zs)), [[z, v]] = dots;
  canvas.plot({xlim: [from, to], ylim: [0, top], xlabel: 'logit z', lines: [
    {points: Array.from({length: 121}, (_, i) => from + i/120*(to - from)).map(z => [z, f(z)]), colour: 'w-soft'},
    {points: slope ? [-2, 2].map(d => [z + d, v + d*slope]) : [], colour: 'w-ink'},
    ...dots.map((dot, i) => ({points: [dot], dots: 5, colour: i ? 'w-seven' : 'w-three'}))]});
}

export default function step({which, loss, rate, image, weights, product, gradient, moved, sigma, hill, inspected, forward, back, update, again, first, second, third}, {images, labels, w, b, lr}) {
  const name = y => y ? 'a three' : 'a seven', xs = images.map(bytes => Float64Array.from(bytes, v => v/255)), stages = [first, second, third], buttons = [forward, back, update];
  let model, done, at = 406;  // how many of the stages; the pixel that is looked into

  const current = () => takeStep(model, xs[which.value], labels[which.value], LOSSES[loss.value], rate.chosen);

  function begin() {
    model = {w: Float64Array.from(w), b};
    done = 0;
    show();
  }

  function show() {
    const {before, after, dz, slopes, next, parts} = current(), x = xs[which.value], y = labels[which.value], dots = key => [before, after].slice(0, done > 2 ? 2 : 1).map(v => [v.z, v[key]]);
    buttons.forEach((button, i) => { button.disabled = i !== done % 3; });
    stages.forEach((stage, i) => { stage.hidden = done <= i; });
    image.pixels(x, grey, `The image: ${name(y)}`, 1, at);
    weights.pixels(model.w, redBlue, '', 2, at);
    product.pixels(parts, redBlue, '', 2, at);
    gradient.pixels(slopes.w, redBlue, '', .3, at);
    moved.pixels(next.w, redBlue, '', 2, at);
    curve(sigma, sigmoid, dots('p'), 1);
    curve(hill, z => LOSSES[loss.value].loss([z], [y]), dots('loss'), ceil(max(before.loss, after.loss, 1)), done > 1 && dz);
    const numbers = [[signed(model.b), signed(before.z), before.p.toFixed(4), y, before.loss.toFixed(4)], [signed(dz), signed(slopes.b)], [rate.chosen, signed(after.z), after.p.toFixed(4), after.loss.toFixed(4)]];
    stages.forEach((stage, i) => stage.querySelectorAll('p span').forEach((span, k) => { span.textContent = numbers[i][k]; }));
    inspected.textContent = [`Pixel in row ${floor(at/28)}, column ${at % 28}: ink ${x[at].toFixed(4)}`, `weight ${signed(model.w[at])}`, `product ${signed(parts[at])}`, `gradient ${signed(slopes.w[at])}`, `new weight ${signed(next.w[at])}`].slice(0, done + 2).join(', ') + '.';
  }

  buttons.forEach((button, i) => {
    button.onclick = () => {
      if (done === 3) model = current().next;
      done = i + 1;
      show();
      buttons[done % 3].focus();  // what comes next
    };
  });
  for (const canvas of [image, weights, product, gradient, moved]) {
    const look = (col, row) => { at = 28*clamp(row, 0, 27) + clamp(col, 0, 27); show(); };
    pointing(canvas, (x, y) => look(floor(28*x), floor(28*y)), (dx, dy) => (dx || dy) && look(at % 28 + sign(dx), floor(at/28) + sign(dy)));
  }
  which.innerHTML = labels.map((y, i) => `<option value="${i}">${name(y)}, y = ${y}</option>`).join('');
  again.onclick = which.onchange = loss.onchange = begin;
  rate.oninput = show;
  rate.chosen = lr;
  begin();
}
