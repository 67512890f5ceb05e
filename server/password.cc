#include "server/password.h"

#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

namespace millrace::server {
namespace {

constexpr std::size_t kPasswordBytesMax = 1024;

Result<std::string> AskOnTerminal() {
  int fd = ::open("/dev/tty", O_RDWR | O_CLOEXEC);
  if (fd < 0) {
    return Error{
        ErrorCode::kFailedPrecondition,
        "there is no terminal to ask for the password: use --password-file or MILLRACE_CAMERA_PASSWORD"};
  }
  termios before{};
  bool restore = ::tcgetattr(fd, &before) == 0;
  if (restore) {
    termios silent = before;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    ::tcsetattr(fd, TCSAFLUSH, &silent);
  }
  constexpr std::string_view kPrompt = "Password of the camera: ";
  (void)!::write(fd, kPrompt.data(), kPrompt.size());
  std::string password;
  char c = 0;
  while (::read(fd, &c, 1) == 1 && c != '\n' && password.size() <= kPasswordBytesMax) password.push_back(c);
  if (restore) ::tcsetattr(fd, TCSAFLUSH, &before);
  (void)!::write(fd, "\n", 1);
  ::close(fd);
  return password;
}

}  // namespace

Result<std::optional<std::string>> ReadPassword(const std::optional<std::filesystem::path>& file, bool ask) {
  std::string password;
  if (file && ask) return Error{ErrorCode::kInvalidArgument, "give either --password-file or --ask-password"};
  if (file) {
    std::ifstream in(*file);
    if (!in) return Error{ErrorCode::kNotFound, "cannot read the password file " + file->string()};
    std::getline(in, password);
    if (password.ends_with('\r')) password.pop_back();
    if (password.empty())
      return Error{ErrorCode::kInvalidArgument, file->string() + " has an empty first line"};
  } else if (ask) {
    MILLRACE_ASSIGN_OR_RETURN(password, AskOnTerminal());
  } else if (const char* value = std::getenv("MILLRACE_CAMERA_PASSWORD");
             value != nullptr && *value != '\0') {
    password = value;
  } else {
    return std::optional<std::string>();
  }
  if (password.size() > kPasswordBytesMax)
    return Error{ErrorCode::kInvalidArgument, "the password is too long"};
  return std::optional<std::string>(std::move(password));
}

}  // namespace millrace::server
