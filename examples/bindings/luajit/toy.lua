--[==[
A network and an energy of our own, trained in the plane, from LuaJIT.

    luajit toy.lua FOLDER [LIBRARY [INCLUDE]]

The programs of this name in the other folders do the same in their languages,
with the same numbers: the files that they write are equal to the bit. First a
network learns four Gaussians by maximum likelihood, and how many nats a point
of the data costs, log Z included, is measured by a grid; then a callback
energy learns where a Gaussian is and how narrow.
]==]
local here = arg[0]:match("^(.*/)") or "./"
package.path = here .. "?.lua;" .. package.path
local ffi = require("ffi")
local POINTS, BATCH = 2000, 128
local REACH = 4.0 -- of the box in which the network is a density

-- Four Gaussians, as 2,000 chains of MALA have drawn them.
local function draw_data(ebm, context)
    local means = ffi.new("double[8]",
        { -1.5, -1.5, -1.5, 1.5, 1.5, -1.5, 1.5, 1.5 })
    local mixture = context:model_create_gaussian_mixture(2, 4, nil, means,
        ffi.new("double[4]", 0.4))
    local chains = context:chains_create(POINTS, 1, 1, 2, 1)
    local mala = context:sampler_create(ebm.SAMPLER_MALA)
    mala:set(ebm.SAMPLER_STEPS, 100)
    mala:set(ebm.SAMPLER_STEP_SIZE, 0.05)
    chains:init_normal(0.0, 1.5)
    mala:run(mixture, chains)
    return chains:states()
end

-- Mean of E over the data, plus log Z over the box by a grid.
local function nats(model, data)
    local side, cell = 80, 2 * REACH / 80
    local x = ffi.new("float[?]", side * side * 2)
    local energy = ffi.new("float[?]", side * side)
    local seen = ffi.new("float[?]", POINTS)
    for i = 0, side * side - 1 do
        x[2 * i] = (i % side + 0.5) * cell - REACH
        x[2 * i + 1] = (math.floor(i / side) + 0.5) * cell - REACH
    end
    model:energy(x, nil, side * side, energy)
    model:energy(data, nil, POINTS, seen)
    local mean, z = 0, 0
    for i = 0, POINTS - 1 do
        mean = mean + seen[i] / POINTS
    end
    for i = 0, side * side - 1 do
        z = z + math.exp(-energy[i]) * cell * cell
    end
    return mean + math.log(z)
end

local function tied_langevin(ebm, context, steps)
    local sampler = context:sampler_create(ebm.SAMPLER_TIED_LANGEVIN)
    sampler:set(ebm.SAMPLER_STEPS, steps)
    sampler:set(ebm.SAMPLER_STEP_SIZE, 0.02)
    return sampler
end

local function train_network(ebm, context, path)
    local x = draw_data(ebm, context)
    local dataset = context:dataset_create_array(x, nil, POINTS, 1, 1, 2, 2)

    local network = context:network_create(1, 1, 2)
    network:dense(32)
    network:swish()
    network:dense(32)
    network:swish()
    network:dense(1)
    local model = network:model_create_network(3)

    local sampler = tied_langevin(ebm, context, 20)
    sampler:set(ebm.SAMPLER_STATE_MIN, -REACH)
    sampler:set(ebm.SAMPLER_STATE_MAX, REACH)
    local buffer = context:buffer_create(1024, 1, 1, 2, 4)
    buffer:fill_uniform(1024, -REACH, REACH)
    local chains = context:chains_create(BATCH, 1, 1, 2, 5)
    local nll = context:loss_create(ebm.LOSS_NLL)
    local adam = context:optimizer_create(ebm.OPTIMIZER_ADAM, model)
    adam:set(ebm.OPTIMIZER_LEARNING_RATE, 0.002)

    local before = nats(model, x)
    local data = ffi.new("float[?]", BATCH * 2)
    for _ = 1, 600 do
        dataset:next(BATCH, data, nil)
        buffer:draw(chains)
        sampler:run(model, chains)
        nll:backward(model, data, nil, BATCH, chains, nil)
        adam:step()
        buffer:store(chains)
    end
    print(("network: %.3f nats, then %.3f"):format(before, nats(model, x)))
    model:save(path)
end

-- E(x) = k |x - (a, b)|^2 / 2 with the parameters k, a, b.
local bowl = { parameter_count = 3 }

function bowl.energy_grad(p, x, labels, n, energy, grad)
    local k, a, b = p[0], p[1], p[2]
    for i = 0, n - 1 do
        local dx, dy = x[2 * i] - a, x[2 * i + 1] - b
        energy[i] = 0.5 * k * (dx * dx + dy * dy)
        grad[2 * i] = k * dx
        grad[2 * i + 1] = k * dy
    end
end

function bowl.param_grad(p, x, labels, n, scale, gradient)
    local k, a, b = p[0], p[1], p[2]
    local sums = { 0, 0, 0 }
    for i = 0, n - 1 do
        local dx, dy = x[2 * i] - a, x[2 * i + 1] - b
        sums[1] = sums[1] + scale[i] * (0.5 * (dx * dx + dy * dy))
        sums[2] = sums[2] - scale[i] * (k * dx)
        sums[3] = sums[3] - scale[i] * (k * dy)
    end
    local rounded = ffi.new("float[3]", sums)
    for j = 0, 2 do
        gradient[j] = gradient[j] + rounded[j]
    end
end

-- The data are N((1, 1), 0.5^2), so k = 4 is what there is to learn.
local function train_bowl(ebm, context, path)
    local drawn = context:chains_create(POINTS, 1, 1, 2, 6)
    drawn:init_normal(1.0, 0.5)
    local dataset = context:dataset_create_array(drawn:states(), nil, POINTS,
        1, 1, 2, 7)
    local model = context:model_create_custom(1, 1, 2, bowl)
    model:set_parameters(0, ffi.new("float[3]", { 1, 0, 0 }), 3)

    local sampler = tied_langevin(ebm, context, 10)
    local chains = context:chains_create(BATCH, 1, 1, 2, 8)
    chains:init_normal(0.0, 1.0)
    local nll = context:loss_create(ebm.LOSS_NLL)
    local adam = context:optimizer_create(ebm.OPTIMIZER_ADAM, model)
    adam:set(ebm.OPTIMIZER_LEARNING_RATE, 0.03)
    local data = ffi.new("float[?]", BATCH * 2)
    for _ = 1, 300 do
        dataset:next(BATCH, data, nil)
        sampler:run(model, chains)
        nll:backward(model, data, nil, BATCH, chains, nil)
        adam:step()
    end
    local p = model:parameters()
    print(("bowl: k %.3f at (%.3f, %.3f)"):format(p[0], p[1], p[2]))
    local file = assert(io.open(path, "wb"))
    file:write(ffi.string(p, 3 * ffi.sizeof("float")))
    assert(file:close())
end

if #arg < 1 or #arg > 3 then
    io.stderr:write("usage: luajit toy.lua FOLDER [LIBRARY [INCLUDE]]\n")
    os.exit(2)
end
local ebm = require("ebm").load(arg[2], arg[3])
local context = ebm.context_create()
train_network(ebm, context, arg[1] .. "/network.safetensors")
train_bowl(ebm, context, arg[1] .. "/bowl.f32")
