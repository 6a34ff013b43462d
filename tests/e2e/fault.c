// Faults on one worker, for tests: LD_PRELOAD this, and set FAULT=RANK:KIND:N, or several with commas between them.
//   full   there is no space left below checkpoints/ once N MB have been written there
//   slow   each fsync below checkpoints/ takes N seconds
//   memory C++ gets no more memory for what is larger than 64 KiB, from the Nth such wish on
//   op     oneDNN's Nth primitive fails, and all after it
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Whether this worker has this fault; its N. */
static int fault(const char* kind, int* n) {
  const char* text = getenv("FAULT");
  const char* rank = getenv("OMPI_COMM_WORLD_RANK");
  if (rank == NULL) rank = getenv("PMI_RANK");
  for (; text != NULL && rank != NULL; text = strchr(text, ',')) {
    int wanted = -1;
    char name[16] = "";
    text += *text == ',';
    if (sscanf(text, "%d:%15[^:]:%d", &wanted, name, n) == 3 && wanted == atoi(rank) && strcmp(name, kind) == 0) return 1;
  }
  return 0;
}

static int below_checkpoints(int file) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  const ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return strstr(path, "/checkpoints/") != NULL;
}

ssize_t write(int file, const void* bytes, size_t count) {
  static atomic_llong written;
  static ssize_t (*real)(int, const void*, size_t);
  int n = 0;
  if (real == NULL) real = (ssize_t(*)(int, const void*, size_t))dlsym(RTLD_NEXT, "write");
  if (fault("full", &n) && below_checkpoints(file) && (written += (long long)count) > n * 1000000LL) {
    errno = ENOSPC;
    return -1;
  }
  return real(file, bytes, count);
}

int fsync(int file) {
  static int (*real)(int);
  int n = 0;
  if (real == NULL) real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
  if (fault("slow", &n) && below_checkpoints(file)) sleep((unsigned)n);
  return real(file);
}

/* operator new */
void* _Znwm(size_t count) {
  static atomic_int wishes;
  extern _Noreturn void _ZSt17__throw_bad_allocv(void); /* of libstdc++ */
  int n = 0;
  void* memory = NULL;
  if (count <= 65536 || !fault("memory", &n) || ++wishes < n) memory = malloc(count > 0 ? count : 1);
  if (memory == NULL) _ZSt17__throw_bad_allocv();
  return memory;
}

int dnnl_primitive_execute(const void* primitive, void* stream, int count, const void* arguments) {
  static atomic_int calls;
  static int (*real)(const void*, void*, int, const void*);
  int n = 0;
  if (real == NULL) real = (int (*)(const void*, void*, int, const void*))dlsym(RTLD_NEXT, "dnnl_primitive_execute");
  if (fault("op", &n) && ++calls >= n) return 5; /* dnnl_runtime_error */
  return real(primitive, stream, count, arguments);
}
