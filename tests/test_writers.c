/*
 * Everything that the library writes, and all that can be in the way: a file
 * system that is full, one that may only be read, a folder at the target, a
 * rename or a sync that fails. Each time the status is IO with the target's
 * name in the text, the old file is the same to the byte, and no temporary
 * lies beside it.
 */
#define _GNU_SOURCE

#include "ebm_test.h"
#include "folder.h"
#include "model_file.h"

#include <errno.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- The writers; another one is another row ---- */

typedef struct materials {
    test_allocator memory;
    ebm_context *context;
    ebm_model *network, *composition;
    ebm_checkpoint *run;
    float x[48];
} materials;

static ebm_status write_network(const materials *m, const char *path)
{
    return ebm_model_save(m->network, path);
}

static ebm_status write_composition(const materials *m, const char *path)
{
    return ebm_model_save(m->composition, path);
}

static ebm_status write_png(const materials *m, const char *path)
{
    return ebm_image_write_png(m->context, path, m->x, 4, 4, 3, -1, 1);
}

static ebm_status write_grid(const materials *m, const char *path)
{
    return ebm_image_write_grid(m->context, path, m->x, 3, 4, 4, 1, 2, 2, -1,
                                1);
}

static ebm_status write_checkpoint(const materials *m, const char *path)
{
    return ebm_checkpoint_save(m->run, path);
}

static const struct writer {
    const char *name;
    ebm_status (*write)(const materials *m, const char *path);
} writers[] = {
    {"ebm_model_save", write_network},
    {"ebm_model_save, a composition", write_composition},
    {"ebm_image_write_png", write_png},
    {"ebm_image_write_grid", write_grid},
    {"ebm_checkpoint_save", write_checkpoint},
};

static void make(materials *m)
{
    memset(m, 0, sizeof *m);
    m->context = test_context(&m->memory);
    m->network = test_make_model(m->context, test_nets + ALL_KINDS);
    assert_ok(ebm_model_create_tempered(m->network, 2, &m->composition));
    assert_ok(ebm_checkpoint_create(m->context, &m->run));
    assert_ok(ebm_checkpoint_add_model(m->run, "model", m->network));
}

static void unmake(materials *m)
{
    ebm_checkpoint_destroy(m->run);
    ebm_model_destroy(m->composition);
    ebm_model_destroy(m->network);
    ebm_context_destroy(m->context);
    assert_no_leaks(&m->memory);
}

/* ---- System calls that fail on demand (linked by --wrap) ---- */

static int rename_error, sync_error;

int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);
int __real_fsync(int descriptor);
int __wrap_fsync(int descriptor);

int __wrap_rename(const char *from, const char *to)
{
    if (!rename_error)
        return __real_rename(from, to);
    errno = rename_error;
    return -1;
}

int __wrap_fsync(int descriptor)
{
    if (!sync_error)
        return __real_fsync(descriptor);
    errno = sync_error;
    return -1;
}

/* ---- Obstacles ---- */

static test_folder folder;
static char target[300], elsewhere[300];

/* A small file system of this process alone, over the folder; 0 where that is
   not allowed. It goes with umount() or with the process. */
static int mount_small(void)
{
    static int apart = -1;
    if (apart < 0)
        apart = !unshare(CLONE_NEWNS) &&
                !mount("none", "/", "none", MS_REC | MS_PRIVATE, "");
    return apart && !mount("tmpfs", folder.path, "tmpfs", 0, "size=128k");
}

/* To the last byte. */
static void fill_disk(void)
{
    static const char much[4096];
    FILE *file = fopen(test_folder_file(&folder, "filler", elsewhere), "wb");
    assert_non_null(file);
    setbuf(file, NULL);
    while (fwrite(much, 1, sizeof much, file) == sizeof much)
        ;
    fclose(file);
}

static void assert_stopped(const materials *m, const struct writer *writer,
                           const char *path, const char *word)
{
    ebm_status status = writer->write(m, path);
    if (status != EBM_ERROR_IO)
        fail_msg("%s returns %s", writer->name, ebm_status_name(status));
    if (!strstr(ebm_context_last_error(m->context), word))
        fail_msg("%s says \"%s\"", writer->name,
                 ebm_context_last_error(m->context));
}

/* With an old file at the target, in a folder with `count` entries: begin()
   puts the obstacle there, end() takes it away. */
static void each_writer_stops(const char *word, void (*begin)(void),
                              void (*end)(void))
{
    materials m;
    make(&m);
    for (size_t i = 0; i < TEST_COUNT(writers); i++) {
        size_t size, now;
        assert_ok(writers[i].write(&m, target));
        unsigned char *old = test_slurp(target, &size);
        begin();
        size_t count = test_folder_count(&folder);
        assert_stopped(&m, writers + i, target, word);
        assert_stopped(&m, writers + i, target, "target");
        unsigned char *found = test_slurp(target, &now);
        assert_int_equal(now, size);
        assert_memory_equal(found, old, size);
        assert_int_equal(test_folder_count(&folder), count);
        end();
        /* The obstacle was what stopped it. */
        assert_ok(writers[i].write(&m, target));
        free(found);
        free(old);
    }
    unmake(&m);
}

static void remove_filler(void)
{
    assert_int_equal(unlink(test_folder_file(&folder, "filler", elsewhere)),
                     0);
}

static void a_full_file_system(void **state)
{
    (void)state;
    if (!mount_small()) {
        print_message("no file system may be mounted here\n");
        skip();
    }
    each_writer_stops("No space left", fill_disk, remove_filler);
    umount(folder.path);
}

static void limit_to_nothing(void)
{
    test_file_limit(1);
}

static void lift_limit(void)
{
    test_file_limit(0);
}

/* What everybody can have instead of a full disk. */
static void a_limit_on_files(void **state)
{
    (void)state;
    each_writer_stops("File too large", limit_to_nothing, lift_limit);
}

static int is_mounted;

static void forbid(void)
{
    assert_int_equal(is_mounted ? mount("tmpfs", folder.path, "tmpfs",
                                        MS_REMOUNT | MS_RDONLY, "")
                                : chmod(folder.path, 0555),
                     0);
}

static void permit(void)
{
    assert_int_equal(is_mounted
                         ? mount("tmpfs", folder.path, "tmpfs", MS_REMOUNT, "")
                         : chmod(folder.path, 0755),
                     0);
}

/* Permissions do not stop root; a file system that may only be read does. */
static void a_folder_that_may_only_be_read(void **state)
{
    (void)state;
    is_mounted = !geteuid() && mount_small();
    if (!geteuid() && !is_mounted) {
        print_message("root, and no file system may be mounted here\n");
        skip();
    }
    each_writer_stops(is_mounted ? "Read-only" : "Permission denied", forbid,
                      permit);
    if (is_mounted)
        umount(folder.path);
}

static void fail_renames(void)
{
    rename_error = EBUSY;
}

static void fail_syncs(void)
{
    sync_error = EIO;
}

static void let_all_pass(void)
{
    rename_error = sync_error = 0;
}

static void a_rename_that_fails(void **state)
{
    (void)state;
    each_writer_stops("busy", fail_renames, let_all_pass);
}

static void a_sync_that_fails(void **state)
{
    (void)state;
    each_writer_stops("error", fail_syncs, let_all_pass);
}

static void a_folder_in_the_place(void **state)
{
    (void)state;
    materials m;
    char inside[400];
    make(&m);
    assert_int_equal(mkdir(target, 0777), 0);
    snprintf(inside, sizeof inside, "%s/file", target);
    test_file_write(inside, "old", 3);
    for (size_t i = 0; i < TEST_COUNT(writers); i++) {
        char bytes[4];
        assert_stopped(&m, writers + i, target, "regular");
        assert_int_equal(test_file_read(inside, bytes, sizeof bytes), 3);
        assert_int_equal(test_folder_count(&folder), 1);
    }
    assert_int_equal(unlink(inside), 0);
    unmake(&m);
}

static void no_folder_at_all(void **state)
{
    (void)state;
    materials m;
    make(&m);
    for (size_t i = 0; i < TEST_COUNT(writers); i++) {
        test_folder_file(&folder, "absent/target", elsewhere);
        assert_stopped(&m, writers + i, elsewhere, "No such file");
        assert_int_equal(test_folder_count(&folder), 0);
    }
    unmake(&m);
}

static int set_up(void **state)
{
    (void)state;
    test_folder_make(&folder);
    test_folder_file(&folder, "target", target);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    let_all_pass();
    test_folder_remove(&folder);
    return 0;
}

#define WITH_FOLDER(name) \
    cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(a_full_file_system),
        WITH_FOLDER(a_limit_on_files),
        WITH_FOLDER(a_folder_that_may_only_be_read),
        WITH_FOLDER(a_rename_that_fails),
        WITH_FOLDER(a_sync_that_fails),
        WITH_FOLDER(a_folder_in_the_place),
        WITH_FOLDER(no_folder_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
