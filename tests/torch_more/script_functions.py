"""Calls of torch's functions as TorchScript writes them: what is called, and the shapes of its inputs."""

from __future__ import annotations

import re

#: The shapes of the inputs by name, and the dtype of those that are no floats.
INPUTS: dict[str, tuple[int, ...]] = {
    "a": (3, 5), "b": (5, 7), "a2": (3, 5), "row": (1, 5), "wide": (3, 8), "u": (5,), "v": (7,), "one": (),
    "v5": (5,), "c": (4, 3, 5), "d": (4, 5, 7), "c2": (4, 6, 5), "m": (3, 7), "m4": (4, 3, 7),
    "sq": (4, 5, 5), "s5": (5, 5), "x": (2, 6, 9, 11), "s": (2, 6, 9), "vol": (2, 6, 5, 7, 8), "ch": (6,),
    "k1": (8, 6, 3), "k2": (8, 6, 3, 2), "k3": (8, 6, 3, 2, 4), "kt": (6, 8, 3, 2), "kt1": (6, 8, 3),
    "lin": (7, 5), "bias": (7,), "bil": (7, 5, 8), "table": (13, 5), "p3": (3, 3), "i": (4,), "i2": (2, 3),
    "i3": (3, 2), "j": (3, 5), "few": (3, 2), "at": (4, 2, 5), "mask": (3, 5), "grid": (2, 3, 4, 2),
    "theta": (2, 2, 3), "q": (2, 3, 7, 8), "key": (2, 3, 9, 8), "val": (2, 3, 9, 10), "off": (3,),
    "cls": (3,), "sig": (2, 40), "win": (8,), "img": (2, 3, 8, 12), "cols": (2, 12, 80), "target": (3, 5),
    "t3": (2, 9), "long": (3, 6, 5),
}  # fmt: skip
INTEGERS = frozenset({"i", "i2", "i3", "j", "few", "at", "off", "cls", "t3"})
BOOLEANS = frozenset({"mask"})

#: What is called; the shape of the result follows from the shapes of the inputs.
CALLS: tuple[str, ...] = (
    # Products.
    "torch.matmul(a, b)", "torch.matmul(c, b)", "torch.matmul(a, u)", "torch.matmul(u, b)",
    "torch.mm(a, b)", "torch.bmm(c, d)", "torch.mv(a, u)", "torch.dot(u, v5)", "torch.outer(u, v)",
    "torch.ger(u, v)", "torch.kron(a, b)", "torch.kron(u, c)", "torch.inner(a, u)", "torch.inner(c, a2)",
    "torch.vdot(u, v5)", "torch.addmm(m, a, b)", "torch.addmv(off + 0.5, a, u)", "torch.addr(b, u, v)",
    "torch.baddbmm(m4, c, d)", "torch.addbmm(m, c, d)", "torch.addbmm(v, c, d)",
    "torch.chain_matmul([a, b])", "torch.linalg.multi_dot([a, b, b.t()])",
    "torch.tensordot(c, d, [[2, 0], [1, 0]])", "torch.tensordot(c, b, [[2], [0]])",
    "torch.tensordot(a, b, 1)", 'torch.einsum("bij,bjk->bik", [c, d])',
    "torch.cross(few.float().t().unsqueeze(0).expand(4, 2, 3), at[:, :, :3].float(), 2)",
    "torch.linalg.cross(p3, p3)", "torch.cdist(a, row)", "torch.cdist(c, c2)", "torch.cdist(c, a2)",
    "torch.pdist(a)", "torch.matrix_power(sq, 3)", "torch.linalg.matmul(c, d)",
    "torch.linalg.vecdot(c, a2)",
    # Joining, splitting and repeating.
    "torch.cat([a, a2], 1)", "torch.cat([a, m], -1)", "torch.stack([a, a2], 2)", "torch.hstack([a, m])",
    "torch.hstack([u, v])", "torch.vstack([a, row])", "torch.vstack([u, v5])", "torch.dstack([a, a2])",
    "torch.column_stack([a, off])", "torch.row_stack([a, row])", "torch.block_diag([a, b])",
    "torch.block_diag([a, u, b])", "torch.meshgrid([u, v])", 'torch.meshgrid([u, v], indexing="xy")',
    'torch.meshgrid([u, v, ch], indexing="ij")', "torch.cartesian_prod([u, v])",
    "torch.cartesian_prod([u])", "torch.combinations(u)", "torch.combinations(u, 3)",
    "torch.combinations(u, 2, True)", "torch.split(x, 4, 1)", "torch.split(x, [2, 4], 1)",
    "torch.chunk(x, 4, 1)", "torch.unbind(c, 1)", "torch.tensor_split(x, 4, 1)",
    "torch.tensor_split(x, [2, 5], 2)", "torch.hsplit(x, 2)", "torch.vsplit(x, 2)", "torch.dsplit(img, 2)",
    "torch.broadcast_tensors([a, c])", "torch.tile(a, [2, 1, 3])", "a.repeat([2, 3])",
    "torch.repeat_interleave(a, 3, 1)", "torch.repeat_interleave(a, 3)", "a.expand([4, 3, 5])",
    "row.expand([3, -1])", "torch.broadcast_to(a, [4, 3, 5])", "row.expand_as(a)",
    # Shapes.
    "torch.reshape(x, [2, -1, 11])", "x.view([2, 6, 99])", "torch.flatten(x, 1)", "torch.flatten(x, 1, 2)",
    "torch.ravel(a)", "torch.unflatten(x, 1, [2, 3])", "torch.squeeze(row)", "torch.squeeze(row, 0)",
    "torch.squeeze(a, 0)", "torch.unsqueeze(a, 1)", "torch.transpose(x, 1, 3)",
    "torch.permute(x, [0, 2, 3, 1])", "torch.movedim(x, 1, 3)", "torch.movedim(x, [1, 2], [3, 1])",
    "torch.moveaxis(x, 1, 2)", "torch.swapaxes(x, 0, 1)", "torch.t(a)", "a.t()", "c.mT", "a.T",
    "torch.adjoint(c)", "torch.atleast_1d(one)", "torch.atleast_2d(u)", "torch.atleast_3d(a)",
    "torch.atleast_3d(u)", "x.unfold(2, 4, 2)", "u.unfold(0, 3, 1)", "torch.rot90(x, 1, [2, 3])",
    "torch.rot90(x, 2, [2, 3])", "torch.flip(x, [2])", "torch.fliplr(a)", "torch.flipud(a)",
    "torch.roll(x, [1], [2])", "torch.narrow(x, 2, 1, 4)", "torch.select(x, 1, 2)", "x[:, 1:4]", "x[0]",
    "x[..., ::2]", "x[:, None, 2]", "torch.diagonal(c, 0, 1, 2)", "torch.diagonal(x, 1, 2, 3)",
    "torch.diagonal(x, -1, 2, 3)", "torch.diag(u)", "torch.diag(u, 2)", "torch.diag(a)", "torch.diag(a, 1)",
    "torch.diag_embed(a)", "torch.diag_embed(a, 1, 0, 2)", "torch.diagflat(a)", "torch.diagflat(u, -1)",
    "torch.vander(u)", "torch.vander(u, 3)", "torch.tril(a)", "torch.triu(a, 1)",
    "torch.tril_indices(4, 5)", "torch.triu_indices(4, 5)", "torch.tril_indices(4, 6, 1)",
    "torch.triu_indices(4, 6, -1)", "torch.view_as_real(torch.complex(a, a2))",
    "torch.view_as_complex(few.float())", "torch.as_strided(x, [3, 4], [4, 1])",
    # Differences, sums and order.
    "torch.diff(a)", "torch.diff(a, 2, 0)", "torch.diff(a, 1, 0)",
    "torch.diff(a, 1, 1, row.expand([3, 5]))", "torch.diff(x, 1, 2)", "torch.gradient(a)",
    "torch.gradient(u)", "torch.trapz(a)", "torch.trapezoid(a, dim=0)", "torch.cumulative_trapezoid(a)",
    "torch.sum(x)", "torch.sum(x, [2, 3])", "torch.mean(x, [1], True)", "torch.prod(a, 1)",
    "torch.std(x, [1])", "torch.var(x, [2, 3], True, True)", "torch.var_mean(x, [1])",
    "torch.std_mean(x, [1, 2], True, True)", "torch.amax(x, [1])", "torch.aminmax(a, dim=1)",
    "torch.aminmax(a)", "torch.max(a, 1)", "torch.min(a, 0, True)", "torch.max(a)", "torch.max(a, a2)",
    "torch.median(a, 1)", "torch.median(a)", "torch.nanmedian(a, 1)", "torch.mode(a, 1)",
    "torch.kthvalue(a, 2, 1)", "torch.kthvalue(a, 2, 1, True)", "torch.quantile(a, 0.5, 1)",
    "torch.quantile(a, torch.abs(v), 1)", "torch.nanquantile(a, 0.5, 0, True)", "torch.logsumexp(x, [1])",
    "torch.argmax(a, 1)", "torch.argmin(a)", "torch.any(mask, 1)", "torch.all(mask)",
    "torch.count_nonzero(a, 1)", "torch.norm(a, 2, [1])", "torch.linalg.norm(a)",
    "torch.linalg.vector_norm(a, 2, [1])", "torch.linalg.matrix_norm(c)", "torch.nuclear_norm(a)",
    "torch.frobenius_norm(a, [1])", "torch.dist(a, a2)", "torch.trace(s5)", "torch.cumsum(a, 1)",
    "torch.cumprod(a, 0)", "torch.cummax(a, 1)", "torch.logcumsumexp(a, 1)", "torch.renorm(a, 2, 0, 1.)",
    "torch.sort(a, 1)", "torch.argsort(a, 1)", "torch.msort(a)", "torch.topk(a, 2, 1)",
    "torch.searchsorted(u, a)", "torch.bucketize(a, u)", "torch.histc(a, 12)", "torch.cov(a)",
    "torch.corrcoef(a)", "torch.cov(u)",
    # Indexing.
    "torch.gather(c, 1, at)", "torch.index_select(x, 1, i)", "torch.take(a, few)",
    "torch.take_along_dim(c, at, 1)", "torch.take_along_dim(a, i)", "a[i2]", "x[:, i]",
    "torch.where(mask, a, a2)", "torch.where(mask, a, 0.)", "torch.masked_fill(a, mask, 0.)",
    "torch.scatter(a, 1, few, 0.)", "torch.index_add(x, 1, i, x[:, :4])",
    "torch.index_fill(a, 1, i % 5, 0.)", "torch.select_scatter(x, x[:, 0], 1, 2)",
    "torch.slice_scatter(x, x[:, :2], 1, 0, 2)", "torch.diagonal_scatter(s5, u)",
    "torch._C._nn.one_hot(i2, 20)", "torch.embedding(table, i2)",
    "torch.scatter_add(a, 1, few, few.float())", "torch.scatter_reduce(a, 1, few, few.float(), \"sum\")",
    "torch.masked_scatter(a, mask, a2)", "torch.put(a, few, few.float())",
    # Elementwise.
    "torch.add(a, row)", "a + c", "torch.clamp(a, 0., 1.)", "torch.lerp(a, a2, 0.5)",
    "torch.addcmul(a, row, c)", "torch.complex(a, row)", "torch.polar(a, a2)",
    "torch.real(torch.complex(a, a2))", "torch.frexp(a)", "torch.isin(a, u)", "torch.bitwise_not(mask)",
    "torch.pow(2, a)", "torch.atan2(a, row)", "torch.softmax(a, 1)", "torch.celu(a)", "torch.rrelu(a)",
    "torch.nan_to_num(a)", "torch.logit(a)", "torch.hypot(a, c)", "torch.special.xlog1py(a, c)",
    "torch.equal(a, a2)", "torch.allclose(a, a2)", "torch.isclose(a, row)",
    "torch.fake_quantize_per_tensor_affine(a, 0.1, 0, 0, 255)", "torch.bernoulli(torch.sigmoid(a))",
    "torch.poisson(torch.abs(a))", "torch.normal(a, torch.abs(a2))",
    "torch.multinomial(torch.abs(a), 4, True)", "torch.cosine_similarity(a, a2)",
    "torch.pairwise_distance(a, a2)", "torch.triplet_margin_loss(a, a2, a)",
    # Creation.
    "torch.zeros([3, 4])", "torch.zeros_like(a)", "a.new_zeros([2, 7])", "torch.full([2, 5], 1.)",
    "torch.arange(7)", "torch.arange(2, 9, 3)", "torch.linspace(0, 1, 6)", "torch.logspace(0, 1, 6)",
    "torch.eye(4)", "torch.eye(4, 6)", "torch.rand([3, 4])", "torch.randn_like(a)", "torch.randperm(6)",
    "torch.randint(9, [2, 4])", "torch.randint(2, 9, [2, 4])", "torch.tensor([1, 2, 3])",
    "torch.tensor([[1, 2], [3, 4], [5, 6]])", "torch.hann_window(9)", "torch.hamming_window(9)",
    "torch.bartlett_window(9)", "torch.blackman_window(9)", "torch.kaiser_window(9)", "torch.empty([2, 3])",
    "torch.empty_like(c)", "torch.full_like(a, 2.)", "torch.zeros([x.size(0), x.size(2)])",
    "torch.arange(x.size(2))", "a.new_ones([a.size(1)])", "torch.normal(0., 1., [3, 4])",
    "torch.tril(torch.ones([x.size(2), x.size(2)]))", "torch.randint_like(a, 9)",
    "torch.as_tensor([1., 2.])", "torch.range(1, 5)", "torch.heaviside(a, row)",
    "torch.bincount(i, None, 9)[:9]",
    # Layers as functions.
    "torch.conv1d(s, k1)", "torch.conv2d(x, k2, None, [2, 1], [1, 0])", "torch.conv3d(vol, k3)",
    "torch.conv_transpose1d(s, kt1)", "torch.conv_transpose2d(x, kt, None, [2, 3], [1, 0], [1, 2])",
    'torch.conv2d(x, k2, None, [1, 1], "same")', "torch._C._nn.linear(a, lin)",
    "torch._C._nn.linear(c, lin, bias)", "torch.bilinear(a, wide, bil)",
    "torch.batch_norm(x, ch, ch, torch.zeros_like(ch), torch.ones_like(ch), False, 0.1, 1e-5, False)",
    "torch.instance_norm(x, None, None, None, None, True, 0.1, 1e-5, False)",
    "torch.layer_norm(x, [9, 11])", "torch.group_norm(x, 3)", "torch.rms_norm(a, [5])",
    "torch.prelu(x, ch)", "torch.max_pool1d(s, 2)",
    "torch.max_pool2d(x, [3, 2], [2, 1], [1, 0], [1, 1], True)", "torch.max_pool3d(vol, [2, 2, 2])",
    "torch.max_pool1d_with_indices(s, [2])", "torch._C._nn.avg_pool2d(x, [3, 3], [2, 2])",
    "torch.avg_pool1d(s, [2])", "torch.adaptive_avg_pool1d(s, [4])",
    "torch._C._nn.adaptive_avg_pool2d(x, [3, 4])", "torch.adaptive_max_pool1d(s, [4])",
    "torch._C._nn.adaptive_max_pool2d(x, [3, 4])", "torch._C._nn.pad(x, [1, 2, 0, 3])",
    'torch._C._nn.pad(x, [1, 2, 0, 3], "reflect")', "torch.constant_pad_nd(x, [1, 2], 0)",
    "torch._C._nn.reflection_pad1d(s, [2, 1])", "torch.pixel_shuffle(vol.flatten(3)[:, :4], 2)",
    "torch.pixel_unshuffle(img, 4)", "torch.channel_shuffle(x, 3)",
    "torch._C._nn.im2col(x, [3, 2], [1, 1], [0, 1], [2, 1])",
    "torch._C._nn.col2im(cols, [9, 11], [2, 2], [1, 1], [0, 0], [1, 1])",
    "torch._C._nn.upsample_nearest2d(x, [18, 22], None)",
    "torch._C._nn.upsample_bilinear2d(x, None, False, [2., 1.5])",
    "torch._C._nn.upsample_nearest1d(s, [18], None)", "torch.grid_sampler(img, grid, 0, 0, False)",
    "torch.affine_grid_generator(theta, [2, 3, 4, 5], False)",
    "torch._C._nn.scaled_dot_product_attention(q, key, val)", "torch._C._nn.glu(x, 1)",
    "torch._C._nn.gelu(a)", "torch.embedding_bag(table, i2.flatten(), off.sort()[0] * 0)[0]",
    "torch.embedding_bag(table, i2.flatten(), off * 0, False, 0, False)[0]",
    "torch.lstm_cell(a, [m, m], b.t().repeat([4, 1]), torch.ones([28, 7]))",
    "torch.gru_cell(a, m, b.t().repeat([3, 1]), torch.ones([21, 7]))",
    "torch.rnn_tanh_cell(a, m, lin, torch.ones([7, 7]))", "torch._C._nn.cross_entropy_loss(a, cls)",
    "torch._C._nn.mse_loss(a, target)", "torch._C._nn.mse_loss(a, target, 0)",
    "torch._C._nn.l1_loss(a, row)", "torch._C._nn.nll_loss_nd(a, cls)", "torch.kl_div(a, target)",
    "torch.binary_cross_entropy_with_logits(a, target)", "torch._C._nn.cross_entropy_loss(s, t3, None, 0)",
    "torch.cosine_embedding_loss(a, a2, off)", "torch.hinge_embedding_loss(a, a2)",
    "torch.margin_ranking_loss(a, a2, a)", "torch._C._nn.log_sigmoid(a)", "torch.dropout(a, 0.5, False)",
    "torch.feature_dropout(a, 0.5, False)", "torch.nn.functional.local_response_norm(x, 3)",
    "torch.nn.functional.lp_pool2d(x, 2., 3)",
    # Linear algebra and spectra.
    "torch.linalg.inv(sq)", "torch.inverse(sq)", "torch.det(sq)", "torch.linalg.det(sq)",
    "torch.logdet(sq)", "torch.slogdet(sq)", "torch.linalg.solve(sq, d)", "torch.linalg.svd(c, False)",
    "torch.linalg.svd(c)", "torch.svd(c)", "torch.linalg.svdvals(c)", "torch.linalg.qr(c)", "torch.qr(c)",
    'torch.linalg.qr(c, "complete")', "torch.linalg.eigh(sq)", "torch.linalg.eigvalsh(sq)",
    "torch.linalg.cholesky(torch.eye(5) + 0. * s5)", "torch.cholesky(torch.eye(5) + 0. * s5)",
    "torch.linalg.pinv(c)", "torch.pinverse(a)", "torch.matrix_exp(sq)", "torch.linalg.matrix_exp(sq)",
    "torch.linalg.lstsq(c, m4)[0]", "torch.linalg.matrix_rank(c)", "torch.linalg.eig(sq)",
    "torch.triangular_solve(d, sq)", "torch.linalg.solve_triangular(sq, d, upper=True)", "torch.fft.fft(a)",
    "torch.fft.fft(a, 8, 0)", "torch.fft.rfft(a)", "torch.fft.rfft(a, 8)", "torch.fft.irfft(a)",
    "torch.fft.irfft(a, 9, 0)", "torch.fft.ifft(a)", "torch.fft.fft2(x)", "torch.fft.rfft2(x)",
    "torch.fft.irfft2(x)", "torch.fft.fftn(x)", "torch.fft.rfftn(x, None, [1, 2])", "torch.fft.hfft(a)",
    "torch.fft.ihfft(a)", "torch.fft.fftfreq(8)", "torch.fft.rfftfreq(8)", "torch.fft.fftshift(a)",
    "torch.stft(sig, 16, 4, 8, win, False, \"reflect\", False, True, True)",
    "torch.linalg.householder_product(c.mT, c[:, :, 0])",
    "torch.lu_solve(d, sq, i.unsqueeze(1).expand(4, 5).int() * 0 + 1)",
)  # fmt: skip
#: What depends on the numbers: the shape of the result stays unknown.
DEPENDENT: tuple[str, ...] = (
    "torch.nonzero(a)", "torch.argwhere(a)", "torch.masked_select(a, mask)", "a[mask]", "torch.bincount(i)",
    "torch._unique2(i)", "torch.unique_consecutive(i)", "torch.repeat_interleave(i)",
    "torch.repeat_interleave(a, off, 0)", "torch._C._nn.one_hot(i)", "torch.where(mask)",
    "torch.masked_select(c, mask)",
)  # fmt: skip


def inputs_of(call: str) -> tuple[str, ...]:
    """Return the names of the inputs that a call reads, in order."""
    names = re.findall(r"(?<![.\w\"])[a-z]\w*(?![\w(\"=])", re.sub(r'"[^"]*"', '""', call))
    return tuple(dict.fromkeys(name for name in names if name in INPUTS))


def spec(name: str) -> str:
    """Return the shape and the dtype of an input as ``--input`` takes them."""
    dtype = ":int64" if name in INTEGERS else ":bool" if name in BOOLEANS else ""
    return ",".join(map(str, INPUTS[name])) + dtype
