/* Energies made of energies, in double. */
#include "tree.h"

#include "ebm_test.h"

static void shape_of(tree *t)
{
    assert_ok(ebm_model_shape(t->model, &t->height, &t->width, &t->channels));
}

void tree_small_network(tree *t, ebm_context *context, size_t slab,
                        uint64_t seed)
{
    memset(t, 0, sizeof *t);
    t->kind = TREE_NETWORK;
    ref_small(&t->ref);
    t->model = ref_model(&t->ref, context, slab, seed);
    ref_load(&t->ref, t->model);
    shape_of(t);
}

void tree_point_network(tree *t, ebm_context *context, size_t slab,
                        uint64_t seed)
{
    memset(t, 0, sizeof *t);
    t->kind = TREE_NETWORK;
    ref_begin(&t->ref, 1, 1, 2);
    ref_conv2d(&t->ref, 5, 1, 1, 0, 1);
    ref_swish(&t->ref);
    ref_flatten(&t->ref);
    ref_dense(&t->ref, 1, 1);
    t->model = ref_model(&t->ref, context, slab, seed);
    ref_load(&t->ref, t->model);
    shape_of(t);
}

void tree_quadratic(tree *t, ebm_context *context, size_t height, size_t width,
                    size_t channels, float theta)
{
    memset(t, 0, sizeof *t);
    t->kind = TREE_QUADRATIC;
    t->quadratic.size = height * width * channels;
    t->theta = (double)theta;
    assert_ok(ebm_model_create_custom(context, height, width, channels,
                                      &test_quadratic_ops, &t->quadratic,
                                      &t->model));
    assert_ok(ebm_model_set_parameters(t->model, 0, &theta, 1));
    shape_of(t);
}

void tree_formula(tree *t, ebm_model *model,
                  double (*formula)(const double *x))
{
    memset(t, 0, sizeof *t);
    t->kind = TREE_FORMULA;
    t->model = model;
    t->formula = formula;
    shape_of(t);
}

static void join(tree *t, tree_kind kind, tree **parts, const double *weights,
                 size_t count, ebm_model **models)
{
    memset(t, 0, sizeof *t);
    t->kind = kind;
    t->count = count;
    for (size_t k = 0; k < count; k++) {
        t->parts[k] = parts[k];
        t->weights[k] = weights ? weights[k] : 1;
        models[k] = parts[k]->model;
    }
}

void tree_sum(tree *t, tree **parts, const double *weights, size_t count)
{
    ebm_model *models[TREE_PARTS];
    join(t, TREE_SUM, parts, weights, count, models);
    assert_ok(ebm_model_create_sum(models, weights, count, &t->model));
    shape_of(t);
}

void tree_mixture(tree *t, tree **parts, const double *weights, size_t count)
{
    ebm_model *models[TREE_PARTS];
    join(t, TREE_MIXTURE, parts, weights, count, models);
    assert_ok(ebm_model_create_mixture(models, weights, count, &t->model));
    shape_of(t);
}

void tree_negated(tree *t, tree *part)
{
    const double weight = -1;
    ebm_model *model;
    join(t, TREE_TIMES, &part, &weight, 1, &model);
    assert_ok(ebm_model_create_negated(model, &t->model));
    shape_of(t);
}

void tree_tempered(tree *t, tree *part, double temperature)
{
    const double weight = 1 / temperature;
    ebm_model *model;
    join(t, TREE_TIMES, &part, &weight, 1, &model);
    assert_ok(ebm_model_create_tempered(model, temperature, &t->model));
    shape_of(t);
}

void tree_view(tree *t, tree *part, size_t factor)
{
    ebm_model *model;
    join(t, TREE_VIEW, &part, NULL, 1, &model);
    t->factor = factor;
    assert_ok(ebm_model_create_downsampled(model, factor, &t->model));
    shape_of(t);
}

void tree_free(tree *t)
{
    ebm_model_destroy(t->model);
    free(t->direction);
    t->direction = NULL;
    if (t->kind == TREE_NETWORK)
        ref_free(&t->ref);
}

size_t tree_size(const tree *t)
{
    return t->height * t->width * t->channels;
}

static double view_energy(const tree *t, const double *x)
{
    const tree *part = t->parts[0];
    size_t f = t->factor, c = t->channels;
    double *small = test_doubles(tree_size(part));
    for (size_t i = 0; i < tree_size(t); i++) {
        size_t row = i / (t->width * c), column = i / c % t->width;
        size_t to = (row / f * part->width + column / f) * c + i % c;
        small[to] += x[i] / (double)(f * f);
    }
    double e = tree_energy(part, small);
    free(small);
    return e;
}

double tree_energy(const tree *t, const double *x)
{
    double sum = 0;
    switch (t->kind) {
    case TREE_NETWORK:
        return ref_energy(&t->ref, x, NULL);
    case TREE_QUADRATIC:
        for (size_t i = 0; i < tree_size(t); i++)
            sum += t->theta * x[i] * x[i] / 2;
        return sum;
    case TREE_FORMULA:
        return t->formula(x);
    case TREE_VIEW:
        return view_energy(t, x);
    case TREE_SUM:
    case TREE_TIMES:
        for (size_t k = 0; k < t->count; k++)
            sum += t->weights[k] * tree_energy(t->parts[k], x);
        return sum;
    case TREE_MIXTURE:
        break;
    }
    for (size_t k = 0; k < t->count; k++)
        sum += t->weights[k] * exp(-tree_energy(t->parts[k], x));
    return -log(sum);
}

static size_t parameters_of(const tree *t)
{
    return t->kind == TREE_NETWORK     ? t->ref.parameter_count
           : t->kind == TREE_QUADRATIC ? 1
                                       : 0;
}

static void find_leaves(tree *t, tree_leaves *leaves)
{
    for (size_t k = 0; k < t->count; k++)
        find_leaves(t->parts[k], leaves);
    size_t i = 0;
    while (i < leaves->count && leaves->leaves[i] != t)
        i++;
    if (i == leaves->count && parameters_of(t))
        leaves->leaves[leaves->count++] = t;
}

tree_leaves tree_find_leaves(tree *t)
{
    tree_leaves leaves = {{NULL}, 0};
    find_leaves(t, &leaves);
    return leaves;
}

void tree_draw_direction(tree_leaves *leaves, uint64_t *random)
{
    for (size_t k = 0; k < leaves->count; k++) {
        tree *t = leaves->leaves[k];
        size_t n = parameters_of(t);
        free(t->direction);
        t->direction = test_doubles(n);
        for (size_t i = 0; i < n; i++)
            t->direction[i] = test_random_normal(random) / sqrt((double)n);
    }
}

void tree_move(tree_leaves *leaves, double by)
{
    for (size_t k = 0; k < leaves->count; k++) {
        tree *t = leaves->leaves[k];
        double *theta =
            t->kind == TREE_NETWORK ? t->ref.parameters : &t->theta;
        for (size_t i = 0; i < parameters_of(t); i++)
            theta[i] += by * t->direction[i];
    }
}

/* <gradient, direction> and |gradient|^2. */
static double against(const tree_leaves *leaves, int itself)
{
    double sum = 0;
    for (size_t k = 0; k < leaves->count; k++) {
        const tree *t = leaves->leaves[k];
        size_t n = parameters_of(t);
        float *g = test_floats(n);
        if (t->kind == TREE_NETWORK)
            ref_pack(&t->ref, t->model, ebm_model_gradient(t->model), g);
        else
            g[0] = ebm_model_gradient(t->model)[0];
        for (size_t i = 0; i < n; i++)
            sum += (double)g[i] * (itself ? (double)g[i] : t->direction[i]);
        free(g);
    }
    return sum;
}

double tree_slope(const tree_leaves *leaves)
{
    return against(leaves, 0);
}

double tree_gradient_norm(const tree_leaves *leaves)
{
    return sqrt(against(leaves, 1));
}
