// Roll downhill: a ball on the loss of a parabola through measurements. Beside 02_sgd.

import {mse, predictSpeed, roll} from './maths.js';
import {dot, once, player, pointing, redBlue, write} from './page.js';

const SIDE = 300, RINGS = 14, BALL = '#e8750a';
const number = v => v.toLocaleString('en', {maximumSignificantDigits: 3});

export default function downhill({map, curve, fall, words, numbers, play, step, reset, rate, clock}, {y, start, clocks}, root) {  // a clock: times, best parameters, reach of the map, curvatures (least, greatest), angle of the greatest
  let t, best, reach, curvatures, angle, limit, least, place, path, losses;

  function count() {
    ({t, best, reach, curvatures, angle} = clocks[clock.value]);
    limit = 2/curvatures[1];
    least = mse(t, y, best);
    rate.write();
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

  const go = () => arrive(roll(t, y, place, rate.chosen/100*limit));  // in percent of the limit

  const away = p => Math.hypot(...place.map((v, i) => v - p[i]));
  const togo = () => path[1] ? away(best)/away(path.at(-2)) : 0;  // how many steps are left, if each is as long as the last
  const over = () => losses.at(-1) < 1.0001*least || losses.at(-1) > 1e9 || path.length > 1000;

  const verdict = () => !path[1] ? 'Drop the ball where you like, and press Play.'
    : losses.at(-1) < 1.01*least ? 'Arrived: the loss is within 1% of the least.'
    : rate.chosen > 100 ? 'Diverging: each jump over the valley is longer than the last.'
    : rate.chosen === 100 ? 'At the limit: it jumps over the valley and comes no closer.'
    : togo() > 100 ? 'Creeping: downhill, in steps too short for the way left.'
    : rate.chosen > 50 ? 'Zig-zag: it jumps over the valley and still comes closer.'
    : 'Converging: each step comes closer.';

  function paintMap(c) {  // lines of equal loss are ellipses
    const scale = SIDE/2/reach, at = ([a, , c]) => [SIDE/2 + (a - best[0])*scale, SIDE/2 - (c - best[2])*scale];
    const disc = (fill, radius, p) => { c.fillStyle = fill; dot(c, ...at(p), radius); };
    const top = mse(t, y, [best[0] + reach, best[1], best[2] + reach])/least;
    for (let k = RINGS; k >= 0; k--) {
      const [long, short] = curvatures.map(v => scale*Math.sqrt(2*least*(top**((k + .2)/RINGS) - 1)/v));
      c.fillStyle = `rgb(${redBlue(k/RINGS - 1)})`;
      c.beginPath(); c.ellipse(SIDE/2, SIDE/2, short, long, -angle, 0, 7); c.fill();
    }
    c.strokeStyle = BALL; c.lineWidth = 2;
    c.beginPath(); path.forEach(p => c.lineTo(...at(p))); c.stroke();
    path.forEach(p => disc(BALL, 3, p));
    disc('#fff', 4, best); disc('#fff', 9, place); disc(BALL, 7, place);
  }

  const show = once(() => {
    const [a, , c] = place, steps = path.length - 1, now = `a ${number(a)}, c ${number(c)}, loss ${number(losses[steps])}; best a ${number(best[0])}, c ${number(best[2])}, loss ${number(least)}`;
    map.draw(paintMap, `Map of the loss. Ball at ${now}`);
    const seconds = Array.from({length: 77}, (_, i) => i/4), speeds = predictSpeed(seconds.map(s => t[0] + s*(t[1] - t[0])), place);
    curve.plot({xlim: [0, 19], ylim: [-20, 90], yticks: [0, 40, 80], xlabel: 'time (s)', ylabel: 'speed (km/h)', lines: [
      {points: seconds.map((s, i) => [s, speeds[i]]), colour: BALL}, {points: [...y.entries()], colour: 'w-ink', dots: 3}]}, 'The measurements and the curve');
    const top = 2*Math.ceil(Math.log10(Math.max(1e4, ...losses))/2);  // an even power of ten
    fall.plot({log: true, xlim: [0, Math.max(20, steps)], ylim: [1, 10**top], yticks: [1, 10**(top/2), 10**top], xlabel: 'steps', ylabel: 'loss', lines: [{points: [...losses.entries()], colour: BALL}]}, 'The loss by step');
    numbers.textContent = `Step ${steps}: ${now}. Curvature ${curvatures.map(number).join(' to ')}; limit of the rate 2/${number(curvatures[1])} = ${number(limit)}.${togo() > 100 ? ` At this pace: ${number(togo())} more steps.` : ''}`;
    write(words, verdict());
  });

  const again = () => drop(path[0][0], path[0][2]);
  player(play, 8, () => { go(); if (over()) play.stop(); }, () => { if (over()) again(); });
  pointing(map, (x, y) => drop(best[0] + (2*x - 1)*reach, best[2] + (1 - 2*y)*reach),
    (dx, dy) => { if (dx || dy) drop(place[0] + dx*reach/20, place[2] - dy*reach/20); });
  step.onclick = () => { play.stop(); go(); };
  reset.onclick = again;
  rate.words = percent => `${number(percent/100*limit)}, ${percent}% of the limit`;
  rate.oninput = show;
  clock.onchange = count;
  count();
}
