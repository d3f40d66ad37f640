#include "folder.h"

#include "ebm_test.h"

#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

void test_folder_make(test_folder *folder)
{
    const char *base = getenv("TMPDIR");
    snprintf(folder->path, sizeof folder->path, "%s/ebm-test-XXXXXX",
             base && strlen(base) < 150 ? base : "/tmp");
    if (!mkdtemp(folder->path))
        fail_msg("no temporary folder %s", folder->path);
}

const char *test_folder_file(const test_folder *folder, const char *name,
                             char buffer[300])
{
    snprintf(buffer, 300, "%s/%s", folder->path, name);
    return buffer;
}

/* Counts the entries, and removes them if asked to. */
static size_t visit(const test_folder *folder, int clear)
{
    size_t count = 0;
    DIR *entries = opendir(folder->path);
    if (!entries)
        fail_msg("can not open %s", folder->path);
    for (struct dirent *entry; (entry = readdir(entries));) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        char path[600];
        snprintf(path, sizeof path, "%s/%s", folder->path, entry->d_name);
        count++;
        if (clear)
            remove(path);
    }
    closedir(entries);
    return count;
}

size_t test_folder_count(const test_folder *folder)
{
    return visit(folder, 0);
}

void test_folder_remove(test_folder *folder)
{
    visit(folder, 1);
    rmdir(folder->path);
}

void test_file_write(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    if (!file)
        fail_msg("can not open %s", path);
    size_t written = fwrite(bytes, 1, size, file);
    if (fclose(file) || written != size)
        fail_msg("can not write %s", path);
}

size_t test_file_read(const char *path, void *bytes, size_t room)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("can not open %s", path);
    size_t size = fread(bytes, 1, room, file);
    int more = fgetc(file);
    fclose(file);
    if (more != EOF)
        fail_msg("%s is longer than %zu bytes", path, room);
    return size;
}

void test_file_limit(size_t bytes)
{
    struct rlimit limit;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = bytes ? (rlim_t)bytes : limit.rlim_max;
    if (setrlimit(RLIMIT_FSIZE, &limit))
        fail_msg("can not limit the length of files");
}
