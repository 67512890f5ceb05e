// Writes the frames of a Matroska file into an MP4, as they are.
#include <fstream>
#include <iostream>
#include <iterator>

#include "parser/writer/media_writer.h"

namespace {

millrace::Result<void> Convert(const char* from, const char* to) {
  std::ifstream in(from, std::ios::binary);
  MILLRACE_ASSIGN_OR_RETURN(const auto fragment,
                            millrace::ParseFragment(millrace::SharedBytes(
                                millrace::Bytes(std::istreambuf_iterator<char>(in), {}))));
  MILLRACE_ASSIGN_OR_RETURN(const auto writer, millrace::MediaWriter::Create(to, millrace::Container::kMp4,
                                                                             fragment.document.TrackInfos()));
  MILLRACE_RETURN_IF_ERROR(writer->Write(fragment));
  return writer->Finish();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const auto converted = Convert(argv[1], argv[2]);
  if (!converted) std::cerr << converted.error().ToString() << "\n";
  return converted ? 0 : 1;
}
