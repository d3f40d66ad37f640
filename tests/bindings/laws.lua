-- What the LuaJIT binding promises. Usage: luajit laws.lua LIBRARY INCLUDE
local here = arg[0]:match("^(.*/)") or "./"
package.path = here .. "../../examples/bindings/luajit/?.lua;" .. package.path
local ffi = require("ffi")
local binding = require("ebm")
local LIBRARY, INCLUDE = arg[1], arg[2]
local ebm = binding.load(LIBRARY, INCLUDE)

local function raises(f, ...)
    local done, value = pcall(f, ...)
    assert(not done, "nothing was raised")
    return value
end

-- An Error of this status whose text has these words.
local function fails(status, words, f, ...)
    local value = raises(f, ...)
    assert(getmetatable(value) == binding.Error, tostring(value))
    assert(value.status == status, tostring(value))
    assert(tostring(value):find(words, 1, true), tostring(value))
end

local function quadratic(_, x, _, n, energy, grad)
    for i = 0, n - 1 do
        local a, b = x[2 * i], x[2 * i + 1]
        energy[i] = (a * a + b * b) / 2
        grad[2 * i], grad[2 * i + 1] = a, b
    end
end

local function make(context, energy)
    local model = context:model_create_custom(1, 1, 2,
        energy or { energy_grad = quadratic })
    local chains = context:chains_create(8, 1, 1, 2, 7)
    chains:init_normal(0.0, 1.0)
    local sampler = context:sampler_create(ebm.SAMPLER_TIED_LANGEVIN)
    sampler:set(ebm.SAMPLER_STEPS, 5)
    sampler:set(ebm.SAMPLER_STEP_SIZE, 0.1)
    return model, chains, sampler
end

local function floats(n, value)
    local x = ffi.new("float[?]", n)
    for i = 0, n - 1 do
        x[i] = value
    end
    return x
end

local tests = {}
local function test(name, f)
    tests[#tests + 1] = { name = name, run = f }
end

test("the headers are all there", function()
    local names, functions, found = 0, 0, 0
    for file in io.popen("ls '" .. INCLUDE .. "/ebm'"):lines() do
        local text = assert(io.open(INCLUDE .. "/ebm/" .. file)):read("*a")
        text = text:gsub("/%*.-%*/", "")
        for name, value in text:gmatch("%f[%w_]EBM_([%w_]+)%s*=%s*([%w_]+)") do
            assert(ebm[name] == tonumber(value), name)
            names = names + 1
        end
        for name in text:gmatch("EBM_API%s[^;]-%f[%w_](ebm_[%w_]+)%(") do
            assert(ebm.functions[name], name)
            functions = functions + 1
        end
    end
    for _ in pairs(ebm.functions) do
        found = found + 1
    end
    assert(names > 100 and functions > 100 and functions == found)
    raises(function() return ebm.NO_SUCH_NAME end)
end)

test("nothing is copied", function()
    local model, chains, sampler = make(ebm.context_create())
    local x, energy, passed = floats(6, 1), floats(3, 0), nil
    local enter = ebm.enter
    rawset(ebm, "enter", function(self, name, arguments)
        passed = arguments
        return enter(self, name, arguments)
    end)
    model:energy(x, nil, 3, energy)
    rawset(ebm, "enter", nil)
    assert(energy[2] == 1)
    assert(passed[2] == ffi.cast("const float *", x) and passed[3] == nil)
    assert(passed[5] == ffi.cast("float *", energy) and passed.n == 5)
    local states = chains:states()
    assert(states == ebm.lib.ebm_chains_states(chains.held.pointer))
    local before = states[0]
    sampler:run(model, chains)
    assert(states[0] ~= before)
end)

test("arrays are looked at", function()
    local model, chains = make(ebm.context_create())
    local x, energy = floats(8, 1), floats(4, 0)
    model:energy(x, nil, 4, energy)
    raises(model.energy, model, ffi.new("double[8]"), nil, 4, energy)
    raises(model.energy, model, { 1, 2 }, nil, 1, energy)
    raises(model.energy, model, x, nil, 5, floats(5, 0))
    raises(model.energy, model, x, nil, 4, floats(3, 0))
    raises(model.energy, model, x, ffi.new("int32_t[3]"), 4, energy)
    raises(chains.set_states, chains, x, nil, ebm.ORIGIN_DATA)
end)

test("wrong use has the library's text", function()
    local context = ebm.context_create()
    local model, chains, sampler = make(context)
    fails("EBM_ERROR_RANGE", "steps = -1", sampler.set, sampler,
        ebm.SAMPLER_STEPS, -1)
    fails("EBM_ERROR_ARGUMENT", "", ebm.sampler_option, 12345)
    local other = ebm.context_create():chains_create(8, 1, 1, 2, 7)
    fails("EBM_ERROR_CONTEXT", "contexts", sampler.run, sampler, model, other)
    fails("EBM_ERROR_HANDLE", "", sampler.run, sampler, nil, chains)
    fails("EBM_ERROR_ARGUMENT", "model must be", sampler.run, sampler, chains,
        chains)
    fails("EBM_ERROR_ARGUMENT", "model must be", sampler.run, sampler, 5,
        chains)
    raises(function() sampler:no_such_verb() end)
    model:close()
    fails("EBM_ERROR_HANDLE", "closed", sampler.run, sampler, model, chains)
end)

test("numbers come back", function()
    local context = ebm.context_create()
    local _, chains, sampler = make(context)
    assert(sampler:get(ebm.SAMPLER_STEPS) == 5 and chains:count() == 8)
    local h, w, c = chains:shape()
    assert(h == 1 and w == 1 and c == 2)
    assert(chains:origin(0) == ebm.ORIGIN_NOISE)
    local network = context:network_create(1, 1, 2)
    network:dense(1)
    local model = network:model_create_network(1)
    local name, offset, rank, shape = model:view(0)
    assert(name == "0.weight" and offset == 0 and rank == 2)
    assert(shape[1] == 2 and shape[2] == 1)
    local lent = model:begin_write()
    lent[0], lent[1], lent[2] = 1, 2, 3
    model:end_write()
    assert(model:parameters()[2] == 3)
    local flip = context:transition_create_simclr(1.0):part(1)
    collectgarbage()
    assert(flip:get_kind() == ebm.TRANSITION_FLIP)
    assert(flip:get(ebm.TRANSITION_PROBABILITY) == 0.5)
end)

test("errors come back as themselves", function()
    local context, mine = ebm.context_create(), { "mine" }
    local function fail()
        error(mine)
    end
    local x, energy = floats(16, 1), floats(8, 0)
    local function broken(name)
        local e = { energy_grad = quadratic, param_grad = function() end,
            tangent = function() end, parameter_count = 1 }
        e[name] = fail
        return (make(context, e))
    end
    local m = broken("energy_grad")
    assert(raises(m.energy, m, x, nil, 8, energy) == mine)
    m = broken("param_grad")
    assert(raises(m.backward, m, x, nil, 8, energy, nil) == mine)
    m = broken("tangent")
    assert(raises(m.hessian_vector, m, x, nil, 8, x, floats(16, 0)) == mine)

    local model, chains, sampler = make(context)
    sampler:set_observer(1, fail)
    assert(raises(sampler.run, sampler, model, chains) == mine)
    assert(chains:step_count() == 1) -- the call ended there and then
    local function runs_again(attach, key)
        attach(sampler, key, fail)
        assert(raises(sampler.run, sampler, model, chains) == mine)
        attach(sampler, key, nil)
        sampler:run(model, chains)
    end
    runs_again(sampler.set_observer, 1)
    runs_again(sampler.set_schedule_callback, ebm.SAMPLER_STEP_SIZE)
    local jump = context:transition_create_callback(fail)
    assert(raises(jump.apply, jump, x, nil, 8, 1, 1, 2, 1, 0, 0) == mine)
    assert(x[15] == 1)

    -- A log line can stop nothing, but what it raised is not lost.
    local level, line
    context:set_log(function(...) level, line = ... end)
    local nan = make(context, { energy_grad = function(_, _, _, n, _, grad)
        for i = 0, 2 * n - 1 do grad[i] = 0 / 0 end
    end })
    fails("EBM_ERROR_DIVERGED", "", sampler.run, sampler, nan, chains)
    assert(level == ebm.LOG_WARNING and #line > 0)
    context:set_log(fail)
    chains:init_normal(0.0, 1.0)
    assert(raises(sampler.run, sampler, nan, chains) == mine)
    context:set_log(nil)

    chains:init_normal(0.0, 1.0)
    sampler:set_observer(1, function(_, c) c:init_normal(0, 1) end)
    fails("EBM_ERROR_STATE", "", sampler.run, sampler, model, chains)
    sampler:set_observer(1, function(step) return step == 3 end)
    fails("EBM_ERROR_CALLBACK", "", sampler.run, sampler, model, chains)
    local seen = {}
    sampler:set_observer(2, function(step, c)
        assert(c == chains)
        seen[#seen + 1] = step
    end)
    for _ = 1, 200 do -- often enough for the compiler to take it up
        sampler:run(model, chains)
    end
    assert(#seen == 600 and seen[599] == 4 and seen[600] == 5)
end)

test("any order of destroying", function()
    math.randomseed(1)
    for _ = 1, 30 do
        local context = ebm.context_create()
        local model, chains, sampler = make(context, {
            energy_grad = quadratic, param_grad = function() end,
            parameter_count = 1 })
        local whole = model:create_tempered(2.0)
        local jump = context:transition_create_callback(function() end)
        local buffer = context:buffer_create(16, 1, 1, 2, 1)
        buffer:set_transition(jump)
        sampler:set_transition(jump, 2)
        local adam = context:optimizer_create(ebm.OPTIMIZER_ADAM, whole)
        sampler:run(whole, chains)
        local handles = { context, model, chains, sampler, whole, jump, buffer,
            adam }
        for i = #handles, 2, -1 do
            local j = math.random(i)
            handles[i], handles[j] = handles[j], handles[i]
        end
        for _, handle in ipairs(handles) do
            handle:close()
            handle:close()
        end
    end
end)

test("what is needed lives, and the rest goes", function()
    local context = ebm.context_create()
    local function energy_grad(...)
        quadratic(...)
    end
    local watched = setmetatable({ energy_grad }, { __mode = "v" })
    local model, chains, sampler = make(context, { energy_grad = energy_grad })
    local whole = model:create_negated()
    local states = chains:states()
    local first, raw = states[0], chains.held.pointer
    context:close()
    model:close()
    chains:close()
    energy_grad, model, chains, context = nil, nil, nil, nil
    collectgarbage()
    collectgarbage()
    local x, energy = floats(6, 1), floats(3, 0)
    whole:energy(x, nil, 3, energy)
    assert(energy[2] == -1 and states[0] == first)
    assert(ebm.lib.ebm_chains_count(raw) == 8, "a pointer lost its owner")
    fails("EBM_ERROR_RANGE", "steps = -1", sampler.set, sampler,
        ebm.SAMPLER_STEPS, -1)
    assert(watched[1])
    whole:close()
    whole = nil
    collectgarbage()
    collectgarbage()
    assert(not watched[1], "a callback that nobody needs is still there")
end)

test("two settings follow two functions", function()
    local model, chains, sampler = make(ebm.context_create())
    local seen = { 0, 0 }
    for i, key in ipairs({ ebm.SAMPLER_STEP_SIZE, ebm.SAMPLER_TEMPERATURE }) do
        sampler:set_schedule_callback(key, function()
            seen[i] = seen[i] + 1
            return 0.1
        end)
        collectgarbage()
    end
    sampler:run(model, chains)
    assert(seen[1] == 5 and seen[2] == 5)
end)

-- Virtual memory of this process, in pages.
local function pages()
    local file = io.open("/proc/self/statm")
    return file and tonumber(file:read("*a"):match("^%d+"))
end

test("what is collected is destroyed", function()
    if not pages() then
        return
    end
    local before = pages()
    for _ = 1, 60 do -- 16 MB each
        ebm.context_create():buffer_create(2e6, 1, 1, 2, 1)
        collectgarbage()
        collectgarbage()
    end
    assert((pages() - before) * 4096 < 300e6, "handles are not destroyed")
end)

test("nothing is left", function()
    jit.flush() -- traces hold constants
    collectgarbage()
    collectgarbage()
    assert(next(ebm.callbacks) == nil and next(ebm.handles) == nil)
end)

for _, t in ipairs(tests) do
    t.run()
    print(t.name)
end
print(#tests .. " passed")
