// Roll downhill: a ball on the loss of a parabola through measurements. Beside tutorials/sgd.

import {bowl, mse, predictSpeed, roll} from './maths.js';
import {button, captioned, choice, colour, column, el, once, paintPlot, picture, player, pointing, redBlue, row, slider} from './page.js';

const PERCENTS = [1, 3, 8, 20, 40, 60, 75, 90, 97, 99, 100, 101, 105, 120];  // of the limit
const SIDE = 300, RINGS = 14, BALL = '#e8750a';
const number = v => v.toLocaleString('en', {maximumSignificantDigits: 3});

export default function downhill(root, {y, start, clocks}) {  // a clock: times, best parameters, reach of the map
  let t, best, reach, curvature, limit, least, place, path, losses;
  function count(name) {
    ({t, best, reach} = clocks[name]);
    curvature = bowl(t);
    limit = 2/curvature.greatest;
    least = mse(t, y, best);
    rate.value = rate.value;  // writes the new rate
    drop(start[0], start[2]);
  }

  function drop(a, c) {
    play.stop();
    root.path = path = []; losses = [];
    arrive([a, best[1], c]);
  }

  function arrive(p) {
    path.push(place = p); losses.push(mse(t, y, p));
    show();
  }

  const step = () => arrive(roll(t, y, place, rate.value/100*limit));

  const away = p => Math.hypot(...place.map((v, i) => v - p[i]));
  const togo = () => path[1] ? away(best)/away(path.at(-2)) : 0;  // steps, if all were like the last
  const over = () => losses.at(-1) < 1.0001*least || losses.at(-1) > 1e9 || path.length > 1000;

  const verdict = () => !path[1] ? 'Drop the ball where you like, and press Play.'
    : rate.value > 100 ? 'Diverging: each jump over the valley is longer than the last.'
    : rate.value === 100 ? 'At the limit: it jumps over the valley and comes no closer.'
    : losses.at(-1) < 1.01*least ? 'Arrived: the loss is within 1% of the least.'
    : togo() > 100 ? 'Creeping: downhill, in steps too short for the way left.'
    : rate.value > 50 ? 'Zig-zag: it jumps over the valley and still comes closer.'
    : 'Converging: each step comes closer.';

  function paintMap(context) {  // lines of equal loss are ellipses
    const scale = SIDE/2/reach, at = ([a, , c]) => [SIDE/2 + (a - best[0])*scale, SIDE/2 - (c - best[2])*scale];
    const disc = (fill, radius, p) => { context.fillStyle = fill; context.beginPath(); context.arc(...at(p), radius, 0, 7); context.fill(); };
    const top = mse(t, y, [best[0] + reach, best[1], best[2] + reach])/least;
    for (let k = RINGS; k >= 0; k--) {
      const radius = v => scale*Math.sqrt(2*least*(top**((k + .2)/RINGS) - 1)/v);
      context.fillStyle = `rgb(${redBlue(k/RINGS - 1)})`;
      context.beginPath(); context.ellipse(SIDE/2, SIDE/2, radius(curvature.greatest), radius(curvature.least), -curvature.angle, 0, 7); context.fill();
    }
    context.strokeStyle = BALL; context.lineWidth = 2;
    context.beginPath(); path.forEach(p => context.lineTo(...at(p))); context.stroke();
    path.forEach(p => disc(BALL, 3, p));
    disc('#fff', 4, best); disc('#fff', 9, place); disc(BALL, 7, place);
  }

  const plot = (canvas, what) => canvas.draw((...place) => paintPlot(...place, root, what));

  const show = once(() => {
    const [a, , c] = place, steps = path.length - 1, now = `a ${number(a)}, c ${number(c)}, loss ${number(losses[steps])}; best a ${number(best[0])}, c ${number(best[2])}, loss ${number(least)}`;
    map.draw(paintMap, `Map of the loss. Ball at ${now}`);
    const seconds = Array.from({length: 77}, (_, i) => i/4), speeds = predictSpeed(seconds.map(s => t[0] + s*(t[1] - t[0])), place);
    plot(curve, {xlim: [0, 19], ylim: [-20, 90], yticks: [0, 40, 80], xlabel: 'time (s)', ylabel: 'speed (km/h)', lines: [
      {points: seconds.map((s, i) => [s, speeds[i]]), colour: BALL}, {points: [...y.entries()], colour: colour(root, 'w-ink'), dots: 3}]});
    plot(fall, {log: true, xlim: [0, Math.max(20, steps)], ylim: [1, Math.max(1e4, ...losses)], yticks: [1, 100, 1e4], xlabel: 'steps', ylabel: 'loss', lines: [{points: [...losses.entries()], colour: BALL}]});
    numbers.textContent = `Step ${steps}: ${now}. Curvature ${number(curvature.least)} to ${number(curvature.greatest)}; limit of the rate 2/${number(curvature.greatest)} = ${number(limit)}.${togo() > 100 ? ` At this pace: ${number(togo())} more steps.` : ''}`;
    if (words.textContent !== verdict()) words.textContent = verdict();
  });

  const again = () => drop(path[0][0], path[0][2]);
  const play = player(8, () => { step(); if (over()) play.stop(); }, () => { if (over()) again(); });
  const rate = slider('Learning rate', PERCENTS, 75, show, percent => `${number(percent/100*limit)}, ${percent}% of the limit`);
  const map = picture('Map', SIDE), curve = picture('Measurements and curve', SIDE, 160), fall = picture('Loss by step', SIDE, 140);
  const words = el('p', {className: 'widget-verdict', 'aria-live': 'polite'}), numbers = el('p', {className: 'widget-numbers'});
  pointing(map, (x, y) => drop(best[0] + (2*x - 1)*reach, best[2] + (1 - 2*y)*reach),
    (dx, dy) => { if (dx || dy) drop(place[0] + dx*reach/20, place[2] - dy*reach/20); });
  count('u');
  root.append(row(captioned(map, 'Loss over a (across), c (up); drag the ball'), column(captioned(curve, 'Its curve'), fall)), words,
    row(play, button('Step', () => { play.stop(); step(); }), button('Reset', again), rate, choice('Count time', {u: 'rescaled, u', t: 'in seconds, t'}, 'u', count)), numbers);
}
