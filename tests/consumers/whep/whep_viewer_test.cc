// Goal: frames lie in a viewer's running time where their reports are right, and at their distances whatever
// their producer's clock says. Method: the place of the first one.
#include "consumers/whep/whep_viewer.h"

#include <gtest/gtest.h>

namespace millrace::test {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

std::int64_t Place(Duration running, Duration age) { return WhepViewer::PlaceOfFirst(running.count(), age); }

TEST(WhepViewerTest, AFirstFrameLiesWhereItWasTaken) {
  EXPECT_EQ(Place(hours(1), seconds(12)), Duration(hours(1) - seconds(12)).count());
  EXPECT_EQ(Place(hours(1), seconds(-1)), Duration(hours(1) + seconds(1)).count());
}

TEST(WhepViewerTest, OneOfBeforeTheBeginningLiesWhereItIsSent) {
  EXPECT_EQ(Place(hours(1), hours(2)), Duration(hours(1)).count());
  EXPECT_EQ(Place(hours(1), hours(24) * 365 * 50), Duration(hours(1)).count());
  // The machine runs for five minutes.
  EXPECT_EQ(Place(minutes(5), minutes(6)), Duration(minutes(5)).count());
}

}  // namespace
}  // namespace millrace::test
