// Prints the frames of a Matroska file or GetMedia body from standard input: the example of
// parser/fragment_visitor.h.
#include <iostream>
#include <vector>

#include "parser/fragment_visitor.h"
#include "parser/parse_fragment.h"

namespace {

class Printer : public millrace::FragmentHandler {
 public:
  millrace::Result<void> OnFrame(const millrace::MkvFragment& fragment,
                                 const millrace::MkvFrame& frame) override {
    std::cout << fragment.service.fragment_number.value_or("-") << " track " << frame.track << " at "
              << frame.timestamp_ns << " ns: " << frame.data.span().size() << " bytes\n";
    return {};
  }
};

}  // namespace

int main() {
  Printer printer;
  millrace::FragmentReader reader(printer);
  std::vector<char> chunk(1000);
  millrace::Result<void> result;
  while (result &&
         (std::cin.read(chunk.data(), static_cast<std::streamsize>(chunk.size())), std::cin.gcount() > 0)) {
    result = reader.Push(millrace::AsBytes({chunk.data(), static_cast<std::size_t>(std::cin.gcount())}));
  }
  if (result) result = reader.Finish();
  if (!result) {
    std::cerr << result.error().ToString() << "\n";
    return 1;
  }
  return 0;
}
