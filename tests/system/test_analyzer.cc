// An analyzer that misbehaves when it is told to: by the words in the file that MILLRACE_TEST_ANALYZER names.
//
//   crash-next   from now on the process aborts at the fragment that came first after this was said
//   hang-once    one frame never ends
//   leak         64 MiB a frame are never given back
//   fail         every frame is refused, which ends no process
#include <boost/json/object.hpp>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <future>
#include <string>
#include <vector>

#include "consumers/analysis/analyzer_plugin.h"

namespace millrace {
namespace {

std::string Read(const std::string& path) {
  std::ifstream file(path);
  std::string word;
  file >> word;
  return word;
}

class TestStream final : public StreamAnalyzer {
 public:
  Result<boost::json::object> Analyze(const AnalysisFrame& frame) override {
    const char* path = std::getenv("MILLRACE_TEST_ANALYZER");
    const std::string told = path != nullptr ? Read(path) : "";
    const std::string marker = std::string(path != nullptr ? path : "") + ".done";
    if (told == "crash-next") {
      if (Read(marker).empty()) std::ofstream(marker) << frame.fragment_number << std::endl;
      if (Read(marker) == frame.fragment_number) std::abort();
    }
    if (told == "hang-once" && Read(marker).empty()) {
      std::ofstream(marker) << frame.fragment_number << std::endl;
      std::promise<void>().get_future().wait();
    }
    if (told == "leak") leaked_.emplace_back(std::size_t{64} << 20, static_cast<char>(leaked_.size() + 1));
    if (told == "fail") return Error{ErrorCode::kUnsupported, "told to fail"};
    boost::json::object found;
    found["TestResponse"] = boost::json::object{{"Rows", frame.image.rows}, {"KeyFrame", frame.key_frame}};
    return found;
  }

 private:
  std::vector<std::string> leaked_;
};

class TestAnalyzer final : public FrameAnalyzer {
 public:
  static Result<std::unique_ptr<FrameAnalyzer>> Make(const boost::json::object&) {
    return std::unique_ptr<FrameAnalyzer>(std::make_unique<TestAnalyzer>());
  }
  std::string name() const override { return "test"; }
  std::string version() const override { return "1"; }
  PictureForm picture_form() const override { return {PictureFormat::kGray, 90}; }
  Result<std::unique_ptr<StreamAnalyzer>> Open(const std::string&, const boost::json::object&) override {
    return std::unique_ptr<StreamAnalyzer>(std::make_unique<TestStream>());
  }
};

}  // namespace
}  // namespace millrace

MILLRACE_ANALYZER(millrace::TestAnalyzer);
