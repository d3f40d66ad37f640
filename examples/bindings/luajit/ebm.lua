--[[
libebm for LuaJIT, by its FFI.

    local ebm = require("ebm").load("build/libebm.so", "include")
    local context = ebm.context_create()
    local network = context:network_create(1, 1, 2)
    network:dense(32)

The headers are the declarations, read when the library is loaded, and the
manual. Every function of theirs is here by one rule: `ebm_sampler_run` is the
method `run` of a sampler; what is not named after its first argument keeps its
name, so `ebm_sampler_create(context, ...)` is the method `sampler_create` of a
context. Enumerators lose their prefix: `ebm.SAMPLER_STEPS`.

- Arguments come in C's order. What a call makes or reads comes back: handles,
  and the numbers of `get`, `shape` and their like.
- Arrays are ffi.new("float[?]", n) and the like, passed by pointer; nil is
  NULL. What the library lends (`chains:states()`) is a pointer into its own
  memory; while that very pointer is held, so is the object that owns it.
- A status other than EBM_OK is an error() with a table { status, text }, which
  prints as one line.
- Callbacks get pointers that are valid during the call. What they raise by
  error() stops the call, which raises it again, the same value.
- Handles are destroyed when they are collected, or by close(), in any order.
]]
local ffi = require("ffi")

-- Functions whose last parameters are single numbers to be read. All other
-- outputs are arrays, and the caller brings them.
local READERS = {}
for name in ([[get get_statistic get_result option shape view origin age
    diverged transitions implied_temperature beta bits_per_dimension]])
    :gmatch("%S+") do
    READERS[name] = true
end
local NUMBERS = { float = 4, double = 8, int32_t = 4, uint64_t = 8,
    size_t = 8, char = 1 }

local Error = {}
Error.__index = Error
function Error:__tostring()
    return self.status .. ": " .. self.text
end

local function fail(text)
    error(setmetatable({ status = "EBM_ERROR_ARGUMENT", text = text }, Error),
        0)
end

-- What the headers declare, without comments and preprocessor.
local function read_headers(include)
    local seen = {}
    local function read(name)
        if seen[name] then
            return ""
        end
        seen[name] = true
        local file = assert(io.open(include .. "/" .. name))
        local text = file:read("*a"):gsub("\r", "")
        file:close()
        local before = {}
        for inner in text:gmatch("#include <(ebm/[%w_]+%.h)>") do
            before[#before + 1] = read(inner)
        end
        text = text:gsub("/%*.-%*/", ""):gsub("\\\n", "")
            :gsub("#ifdef __cplusplus.-#endif", "")
            :gsub("%f[^\n%z]#[^\n]*", ""):gsub("EBM_API", "")
        return table.concat(before) .. text
    end
    return read("ebm/ebm.h")
end

-- One parameter of a prototype, and what it is for.
local function parameter(text, reader)
    text = text:gsub("%s+", " "):gsub("^ ", ""):gsub(" $", "")
    local p = { name = text:match("([%w_]+)$") }
    local front = text:sub(1, -#p.name - 1)
    p.constant = front:match("^const ") ~= nil
    p.base = front:gsub("^const ", ""):match("^[%w_]+")
    local stars = front:gsub("^const ", ""):sub(#p.base + 1):gsub(" ", "")
    local output = stars == "**"
        or (reader and stars == "*" and not p.constant)
    p.kind = p.base:match("_fn$") and "callback"
        or p.base == "void" and "user"
        or stars == "" and "number"
        or output and "out"
        or stars == "*const*" and "list"
        or p.base == "char" and p.constant and "text"
        or NUMBERS[p.base] and "array"
        or p.base == "ebm_energy_ops" and "ops"
        or p.base == "ebm_allocator" and "raw"
        or "handle"
    p.handle = p.base:match("^ebm_([%w_]+)$")
    p.pointers = select(2, stars:gsub("%*", ""))
    return p
end

local function prototype(result, name, text)
    local f = { name = name, parameters = {}, inputs = {}, outputs = {} }
    f.result = result:gsub("%s+", " "):gsub("^ ", ""):gsub(" $", "")
    local reader = false
    for verb in pairs(READERS) do
        reader = reader or name:sub(-#verb - 1) == "_" .. verb
    end
    for part in text:gmatch("[^,]+") do
        if not part:match("^%s*void%s*$") then
            local p = parameter(part, reader)
            table.insert(f.parameters, p)
            if p.kind == "out" then
                table.insert(f.outputs, p)
            elseif p.kind ~= "user" then
                table.insert(f.inputs, p)
            end
        end
    end
    return f
end

-- A number of Lua's, unless it would lose digits.
local function number(value)
    if type(value) == "cdata" and value > 9007199254740992ULL then
        return value
    end
    return tonumber(value)
end

local function address(pointer)
    return tostring(ffi.cast("uintptr_t", pointer))
end

local Ebm = {}      -- the library: methods for the inside
local Handle = {}   -- a handle: its methods are functions that take it first

-- ---- Calls -----------------------------------------------------------------

-- How many elements the arrays must have at least whose names say it. C takes
-- the caller's word for it; here it is looked at, as far as arrays know.
local function lengths(values, handles)
    local function sample_of(v)
        return (v.height or 1) * (v.width or 1) * (v.channels or 1)
    end
    local sample = sample_of(values)
    for _, h in ipairs(handles) do
        sample = math.max(sample, h.held.sample or 1)
    end
    sample = values.d or values.size or sample
    local n, m = tonumber(values.n or 0), tonumber(values.m or 0)
    if values.chains and values.origin and not values.n then
        n = handles[1]:count()
    end
    local rows = { b = m * sample, y = m * sample, high = m, pixels = sample,
        values = values.count or 0 }
    for _, name in ipairs({ "x", "data", "v", "grad", "hv", "images" }) do
        rows[name] = n * sample
    end
    for _, name in ipairs({ "energy", "labels", "scale", "acceptance",
        "log_weights", "low" }) do
        rows[name] = n
    end
    return rows
end

local function array(p, value, length)
    if type(value) ~= "cdata" then
        fail(p.name .. " must be an array of " .. p.base)
    end
    -- The FFI's own conversion: other elements are an error.
    local typed = ffi.new((p.constant and "const " or "") .. p.base .. "*[1]")
    typed[0] = value
    local kind = tostring(ffi.typeof(value))
    if kind:match("%[") and ffi.sizeof(value) < length * NUMBERS[p.base] then
        fail(("%s has %d elements, and %d are needed"):format(p.name,
            ffi.sizeof(value) / NUMBERS[p.base], length))
    end
    return typed[0]
end

local function held_pointer(p, value, roots)
    if type(value) ~= "table" or getmetatable(value) ~= Handle
        or value.kind ~= p.handle then
        fail(p.name .. " must be a " .. p.base)
    end
    if not value.held then
        error(setmetatable({ status = "EBM_ERROR_HANDLE",
            text = p.name .. " was closed" }, Error), 0)
    end
    roots[#roots + 1] = value.held.roots
    return value.held.pointer
end

function Ebm:pin(functions)
    self.numbers = self.numbers + 1
    self.callbacks[self.numbers] = functions
    return ffi.cast("void *", ffi.cast("uintptr_t", self.numbers))
end

-- The C arguments for one of ours, put behind those that are there. `keep`
-- holds what C looks at during the call.
function Ebm:convert(arguments, p, value, length, roots, keep)
    local function put(v)
        arguments.n = arguments.n + 1
        arguments[arguments.n] = v
    end
    if p.kind == "number" then
        put(value)
    elseif p.kind == "callback" or p.kind == "ops" then
        if value == nil then
            put(nil)
            put(nil)
            return
        end
        local functions = p.kind == "ops" and value or { call = value }
        roots[#roots + 1] = functions
        local what = self.trampolines[p.base]
        if p.kind == "ops" then
            what = ffi.new("ebm_energy_ops")
            what.struct_size = ffi.sizeof(what)
            what.parameter_count = value.parameter_count or 0
            for _, name in ipairs({ "energy_grad", "param_grad", "tangent" })
            do
                if value[name] then
                    what[name] = self.trampolines["ebm_" .. name .. "_fn"]
                end
            end
        end
        put(what)
        put(self:pin(functions))
    elseif value == nil then
        put(nil)
    elseif p.kind == "text" or p.kind == "raw" then
        put(value)
    elseif p.kind == "list" then
        local list = ffi.new((p.base == "char" and "const char" or p.base) ..
            " *[?]", #value)
        for i, v in ipairs(value) do
            list[i - 1] = p.base == "char" and v or held_pointer(p, v, roots)
        end
        keep[#keep + 1] = list
        put(list)
    elseif p.kind == "array" then
        put(array(p, value, length))
    else
        put(held_pointer(p, value, roots))
    end
end

-- The call itself; raises what callbacks raised in it. Never compiled: a
-- compiled call must not be called back from.
function Ebm:enter(name, arguments)
    local frame = {}
    self.frames[#self.frames + 1] = frame
    local done, result = pcall(self.lib[name],
        unpack(arguments, 1, arguments.n))
    self.frames[#self.frames] = nil
    if frame.raised then
        error(frame.error, 0)
    elseif not done then
        error(result, 0)
    end
    return result
end
jit.off(Ebm.enter, true)

function Ebm:check(status, context)
    local lib = self.lib
    if status == lib.EBM_OK then
        return
    end
    local text = ffi.string(lib.ebm_status_text(status))
    -- (A wrong handle has no context to leave a text with.)
    if context and status ~= lib.EBM_ERROR_HANDLE then
        local line = ffi.new("char[1024]")
        lib.ebm_context_copy_last_error(context.pointer, line, 1024)
        if line[0] ~= 0 then
            text = ffi.string(line)
        end
    end
    error(setmetatable({ status = ffi.string(lib.ebm_status_name(status)),
        text = text }, Error), 0)
end

-- Calls a C function by its full name.
function Ebm:call(name, ...)
    local f, values, handles = self.functions[name], {}, {}
    local given = select("#", ...)
    if given > #f.inputs then
        fail(name .. " takes " .. #f.inputs .. " arguments")
    end
    for i, p in ipairs(f.inputs) do
        local value = select(i, ...)
        values[p.name] = value
        if p.kind == "number" and value == nil then
            fail(name .. " needs " .. p.name)
        end
        for _, v in ipairs(p.kind == "list" and value or { value }) do
            if getmetatable(v) == Handle and v.held then
                handles[#handles + 1] = v
            end
        end
    end
    local context = handles[1] and handles[1].held.context
    local arguments, roots, keep, outs = { n = 0 }, {}, {}, {}
    local sizes = lengths(values, handles)
    for _, p in ipairs(f.parameters) do
        if p.kind == "out" then
            local kind = p.base .. ("*"):rep(p.pointers - 1)
            if p.base == "char" then
                kind = "const char *"
            end
            outs[#outs + 1] = ffi.new(kind .. "[4]")
            arguments.n = arguments.n + 1
            arguments[arguments.n] = outs[#outs]
        elseif p.kind ~= "user" then
            self:convert(arguments, p, values[p.name], sizes[p.name] or 0,
                roots, keep)
        end
    end
    local result = self:enter(name, arguments)
    if f.result == "ebm_status" then
        self:check(result, context)
    end
    if handles[1] and #f.outputs == 0 then
        -- What an object was last given it may still call.
        local place = table.concat({ name, tostring(values.key),
            tostring(values.name) }, " ")
        table.remove(roots, 1)
        handles[1].held.roots[place] = roots
    end
    if f.result ~= "ebm_status" and f.result ~= "void" then
        return self:returned(f, result, handles[1])
    end
    for i, p in ipairs(f.outputs) do
        outs[i] = self:output(p, outs[i], values, handles[1], roots, context)
    end
    return unpack(outs)
end

-- ---- Out of C --------------------------------------------------------------

-- A pointer that the caller may hold, and that holds its owner.
function Ebm:lend(pointer, held)
    self.lent[pointer] = held
    held.lent = true
    return pointer
end

function Ebm:wrap(kind, pointer, context, owner)
    local held = { pointer = pointer, roots = owner and owner.roots or {},
        owner = owner }
    if not owner then
        local destroy = self.lib["ebm_" .. kind .. "_destroy"]
        ffi.gc(pointer, destroy)
        held.destroy = destroy
    end
    held.context = context or held
    local handle = setmetatable({ ebm = self, kind = kind, held = held },
        Handle)
    self.handles[address(pointer)] = handle
    return handle
end

function Ebm:output(p, out, values, first, roots, context)
    if p.base == "float" then -- ebm_model_begin_write()
        return self:lend(out[0], first.held)
    elseif p.base == "char" then
        return ffi.string(out[0])
    elseif p.name == "shape" then
        return { tonumber(out[0]), tonumber(out[1]), tonumber(out[2]),
            tonumber(out[3]) }
    elseif p.pointers == 1 then
        return number(out[0])
    end
    local handle = self:wrap(p.handle, out[0], context)
    handle.held.roots.made_of = roots
    local shape = values
    if p.handle == "model" or p.handle == "dataset" then
        local h, w, c = handle:shape()
        shape = { height = h, width = w, channels = c }
    end
    handle.held.sample = (shape.height or 1) * (shape.width or 1)
        * (shape.channels or 1)
    return handle
end

function Ebm:returned(f, result, first)
    if not f.result:match("%*") then
        return number(result)
    elseif result == nil then
        return nil
    elseif f.result:match("char") then
        return ffi.string(result)
    end
    local kind = f.result:match("^ebm_([%w_]+)")
    if kind then -- a part: the whole owns it
        return self:wrap(kind, result, first.held.context, first.held)
    end
    return self:lend(result, first.held)
end

-- ---- Handles ---------------------------------------------------------------

function Handle:__index(name)
    if Handle[name] then
        return Handle[name]
    end
    for _, full in ipairs({ "ebm_" .. self.kind .. "_" .. name,
        "ebm_" .. name }) do
        local f = self.ebm.functions[full]
        if f and f.parameters[1] and f.parameters[1].handle == self.kind then
            return function(...)
                return select(1, ...).ebm:call(full, ...)
            end
        end
    end
    return nil
end

-- Destroys the object, once no pointer that it lent is held.
function Handle:close()
    local held = rawget(self, "held")
    rawset(self, "held", false)
    -- A context waits for what was made from it: it has the errors' text.
    if held and held.destroy and not held.lent and held.context ~= held then
        ffi.gc(held.pointer, nil)
        held.destroy(held.pointer)
        held.destroy = nil
    end
end

-- ---- Callbacks -------------------------------------------------------------

-- Runs a callback; nothing that it raises goes through C.
function Ebm:run(user, body)
    local number = tonumber(ffi.cast("uintptr_t", user))
    local done, result = pcall(function()
        return body(self.callbacks[number])
    end)
    if not done then
        local frame = self.frames[#self.frames]
        if not frame.raised then
            frame.raised, frame.error = true, result
        end
        return 1
    end
    return (result == nil or result == false or result == 0) and 0 or 1
end

local function nullable(pointer)
    if pointer ~= nil then
        return pointer
    end
    return nil
end

function Ebm:make_trampolines()
    local function cast(kind, f)
        self.trampolines["ebm_" .. kind .. "_fn"] =
            ffi.cast("ebm_" .. kind .. "_fn", f)
    end
    cast("energy_grad", function(params, x, labels, n, energy, grad, user)
        return self:run(user, function(c)
            c.energy_grad(nullable(params), x, nullable(labels), tonumber(n),
                energy, grad)
        end)
    end)
    cast("param_grad", function(params, x, labels, n, scale, gradient, user)
        return self:run(user, function(c)
            c.param_grad(nullable(params), x, nullable(labels), tonumber(n),
                scale, gradient)
        end)
    end)
    cast("tangent", function(params, x, labels, n, v, scale, hv, g, user)
        return self:run(user, function(c)
            c.tangent(nullable(params), x, nullable(labels), tonumber(n), v,
                nullable(scale), hv, nullable(g))
        end)
    end)
    cast("transition", function(x, labels, n, height, width, channels, keys,
        user)
        return self:run(user, function(c)
            return c.call(x, nullable(labels), tonumber(n), tonumber(height),
                tonumber(width), tonumber(channels), keys)
        end)
    end)
    cast("sampler_observer", function(step, chains, user)
        return self:run(user, function(c)
            return c.call(tonumber(step), self.handles[address(chains)])
        end)
    end)
    cast("sampler_schedule", function(step, steps, value, user)
        return self:run(user, function(c)
            value[0] = c.call(tonumber(step), tonumber(steps))
        end)
    end)
    cast("log", function(level, text, user)
        self:run(user, function(c)
            c.call(tonumber(level), ffi.string(text))
        end)
    end)
end

-- ---- Loading ---------------------------------------------------------------

local M = { Error = Error }
local declared = false

-- Loads the library; `include` is the folder that holds ebm/ebm.h.
function M.load(library, include)
    local text = read_headers(include or "/usr/include")
    if not declared then
        ffi.cdef(text)
        declared = true
    end
    local self = setmetatable({ lib = ffi.load(library or "ebm"),
        functions = {}, trampolines = {}, frames = {}, numbers = 0,
        callbacks = setmetatable({}, { __mode = "v" }),
        handles = setmetatable({}, { __mode = "v" }),
        lent = setmetatable({}, { __mode = "k" }) }, {
        __index = function(self, name)
            if Ebm[name] then
                return Ebm[name]
            end
            local full = "ebm_" .. name
            if rawget(self, "functions")[full] then
                return function(...)
                    return self:call(full, ...)
                end
            end
            return self.lib["EBM_" .. name]
        end,
    })
    for result, name, parameters in
        text:gmatch("([^;{}]-)%f[%w_](ebm_[%w_]+)%s*%(([^()]*)%)%s*;") do
        self.functions[name] = prototype(result, name, parameters)
    end
    self:make_trampolines()
    return self
end

return M
