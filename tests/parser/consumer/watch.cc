// Prints the fragments of a video stream as they come, up to so many.
#include <cstdlib>
#include <iostream>

#include "consumers/sources/media_stream.h"

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  auto endpoint = millrace::wire::Endpoint::Parse(argv[1]);
  if (!endpoint) {
    std::cerr << endpoint.error().ToString() << "\n";
    return 1;
  }
  millrace::MediaStream media({.address = {.endpoint = *endpoint, .stream = argv[2]},
                               .start = {.kind = millrace::MediaStart::Kind::kEarliest}});
  const std::uint64_t wanted = std::strtoull(argv[3], nullptr, 10);
  const auto ended = media.Run([&](const millrace::ParsedFragment& fragment) -> millrace::Result<void> {
    std::cout << "fragment " << fragment.service.fragment_number.value_or("-") << ": "
              << fragment.frames.size() << " frames" << std::endl;
    if (media.fragments() + 1 >= wanted) media.Stop();
    return {};
  });
  if (!ended) std::cerr << ended.error().ToString() << "\n";
  return ended ? 0 : 1;
}
