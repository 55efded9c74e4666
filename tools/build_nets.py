"""Train the networks that ship, and write mnist_nbdev/assets/{mlp,cnn}.safetensors; about 12 minutes each on one quiet core.

    python tools/build_nets.py [cnn] [mlp] [--epochs N]

The networks are trained on the first 55,000 of MNIST's training images, distorted anew every time (nbs/11_distort.ipynb), with what is
neither a digit among them (tools/neither.py). The other 5,000 are kept for choosing the threshold of scope (nbs/23_predict.ipynb). One
thread and fixed seeds: the same machine gives the same bytes; another gives the same to within rounding, which training
amplifies, so compare accuracies and not bytes.
"""
import argparse

import torch
from safetensors.torch import save_file
from tqdm import tqdm

from mnist_nbdev.data import ASSETS, load_mnist
from mnist_nbdev.distort import augment, digit_loss
from mnist_nbdev.nets import NETS, three_logit
from neither import neither

HELD_OUT, BATCH, OTHERS = 5000, 256, 96


def train(net, data, others, epochs, seed=1):
    "Adam with decoupled weight decay, the learning rate rising and falling once (Smith, 2018)."
    x, y = data.train_x[:-HELD_OUT], data.train_y[:-HELD_OUT]
    generator, steps = torch.Generator().manual_seed(seed), len(x)//BATCH
    optimiser = torch.optim.AdamW(net.parameters(), weight_decay=.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 6e-3, epochs*steps, pct_start=.2)
    for epoch in range(epochs):
        order, total = torch.randperm(len(x), generator=generator), 0
        net.train()
        for i in tqdm(range(steps), f'epoch {epoch + 1} of {epochs}', leave=False, disable=None):
            batch, other = order[i*BATCH:(i + 1)*BATCH], torch.randint(len(others), (OTHERS,), generator=generator)
            loss = digit_loss(net(augment(torch.cat([x[batch], others[other]]), generator)), torch.cat([y[batch], torch.full((OTHERS,), -1)]))
            optimiser.zero_grad(); loss.backward(); optimiser.step(); schedule.step()
            total += loss.item()
        print(f'epoch {epoch + 1}: loss {total/steps:.4f}, {errors(net, data)}', flush=True)
    return net.eval()


@torch.no_grad()
def errors(net, data):
    "How the network does on MNIST's own validation images."
    z, is_ours = net.eval()(data.valid_x), torch.isin(data.valid_y, torch.tensor([3, 7]))
    ours = (three_logit(z)[:, 0] > 0) != (data.valid_y == 3)
    return f'errors: {int((z.argmax(1) != data.valid_y).sum())} of 10,000 digits, {int(ours[is_ours].sum())} of 2,038 threes and sevens'


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('nets', nargs='*', default=list(NETS), choices=list(NETS))
    parser.add_argument('--epochs', type=int, default=14)
    args = parser.parse_args()
    torch.set_num_threads(1)
    data = load_mnist()
    others = torch.from_numpy(neither(20_000, data.train_x[:-HELD_OUT].reshape(-1, 28, 28).numpy(), data.train_y[:-HELD_OUT].numpy()))
    for name in args.nets:
        torch.manual_seed(0)
        net = train(NETS[name](), data, others, args.epochs)
        save_file({key: t.contiguous() for key, t in net.state_dict().items()}, ASSETS/f'{name}.safetensors')
