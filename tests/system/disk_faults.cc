// A disk that misbehaves on command, under a real server: preloaded (LD_PRELOAD), it stands before the calls
// that the commit log makes. What they do is said by the word in the file that MILLRACE_TEST_DISK_FAULTS
// names, read at every call:
//
//   stall    writes and syncs wait until the word changes
//   eio      syncs fail with EIO, and what they should have synced is unknown
//   enospc   writes fail with ENOSPC
//   erofs    everything that changes something fails with EROFS, and the file system says that it is
//   read-only other    as usual
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string_view>

namespace {

template <typename Function>
Function Real(const char* name) {
  return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

bool Word(std::string_view wanted) {
  const char* path = std::getenv("MILLRACE_TEST_DISK_FAULTS");
  if (path == nullptr) return false;
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  char text[16] = {};
  const ssize_t got = ::read(fd, text, sizeof(text));
  ::close(fd);
  return got > 0 && std::string_view(text, static_cast<std::size_t>(got)).starts_with(wanted);
}

void WaitWhileStalled() {
  while (Word("stall")) ::usleep(20'000);
}

}  // namespace

extern "C" {

int fdatasync(int fd) {
  WaitWhileStalled();
  if (Word("eio") || Word("erofs")) {
    errno = Word("erofs") ? EROFS : EIO;
    return -1;
  }
  static const auto real = Real<int (*)(int)>("fdatasync");
  return real(fd);
}

static ssize_t Write(const char* name, int fd, const iovec* parts, int count, off64_t offset) {
  WaitWhileStalled();
  if (Word("enospc") || Word("erofs")) {
    errno = Word("erofs") ? EROFS : ENOSPC;
    return -1;
  }
  static const auto real = Real<ssize_t (*)(int, const iovec*, int, off64_t)>(name);
  return real(fd, parts, count, offset);
}
ssize_t pwritev(int fd, const iovec* parts, int count, off_t offset) {
  return Write("pwritev64", fd, parts, count, offset);
}
ssize_t pwritev64(int fd, const iovec* parts, int count, off64_t offset) {
  return Write("pwritev64", fd, parts, count, offset);
}

int ftruncate(int fd, off_t size) {
  if (Word("erofs")) {
    errno = EROFS;
    return -1;
  }
  static const auto real = Real<int (*)(int, off_t)>("ftruncate64");
  return real(fd, size);
}

int statvfs(const char* path, struct statvfs* info) {
  static const auto real = Real<int (*)(const char*, struct statvfs*)>("statvfs");
  const int result = real(path, info);
  if (result == 0 && Word("erofs")) info->f_flag |= ST_RDONLY;
  return result;
}

}  // extern "C"
