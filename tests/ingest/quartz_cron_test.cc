// Goal: Quartz cron expressions mean what Quartz says, to the second, and every wrong one is refused with its
// field.
#include "ingest/quartz_cron.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace millrace {
namespace {

struct NextCase {
  const char* name;
  const char* expression;
  const char* after;
  std::vector<const char*> next;  // the times that follow; "": none
};

Timestamp Time(const char* text) { return ParseTime(text + std::string("Z")).value(); }
std::string Text(std::optional<Timestamp> time) {
  return time ? FormatRfc3339(*time).substr(0, 19) : std::string();
}

class QuartzCronNext : public testing::TestWithParam<NextCase> {};

TEST_P(QuartzCronNext, NamesTheTimes) {
  const auto cron = QuartzCron::Parse(GetParam().expression);
  ASSERT_TRUE(cron) << cron.error().ToString();
  Timestamp at = Time(GetParam().after);
  for (const char* wanted : GetParam().next) {
    const auto next = cron->Next(at);
    EXPECT_EQ(Text(next), wanted);
    if (!next) break;
    at = *next;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Cases, QuartzCronNext,
    testing::ValuesIn(std::vector<NextCase>{
        {"EverySecond", "* * * ? * *", "2026-12-31T23:59:58", {"2026-12-31T23:59:59", "2027-01-01T00:00:00"}},
        {"EveryDayAtNoon",
         "0 0 12 * * ?",
         "2026-02-28T12:00:00",
         {"2026-03-01T12:00:00", "2026-03-02T12:00:00"}},
        {"WithinTheHour",
         "30 0/20 14 * * ?",
         "2026-11-21T14:00:29",
         {"2026-11-21T14:00:30", "2026-11-21T14:20:30", "2026-11-21T14:40:30", "2026-11-22T14:00:30"}},
        {"StepOverARange",
         "0 10-50/20 8,18 ? * *",
         "2026-11-21T08:50:00",
         {"2026-11-21T18:10:00", "2026-11-21T18:30:00", "2026-11-21T18:50:00", "2026-11-22T08:10:00"}},
        {"StepWithoutAStar",
         "0 /30 0 * * ?",
         "2026-11-21T00:00:00",
         {"2026-11-21T00:30:00", "2026-11-22T00:00:00"}},
        {"WorkingDays",
         "0 15 10 ? * MON-FRI",
         "2026-11-19T12:00:00",
         {"2026-11-20T10:15:00", "2026-11-23T10:15:00"}},
        {"RangeOverTheWeeksEnd",
         "0 0 0 ? * fri-Mon",
         "2026-11-19T12:00:00",
         {"2026-11-20T00:00:00", "2026-11-21T00:00:00", "2026-11-22T00:00:00", "2026-11-23T00:00:00",
          "2026-11-27T00:00:00"}},
        {"NumberedWeekdaysBeginOnSunday", "0 0 0 ? * 1", "2026-11-21T12:00:00", {"2026-11-22T00:00:00"}},
        {"RangeOverMidnight",
         "0 0 22-1 * * ?",
         "2026-11-21T21:00:00",
         {"2026-11-21T22:00:00", "2026-11-21T23:00:00", "2026-11-22T00:00:00", "2026-11-22T01:00:00",
          "2026-11-22T22:00:00"}},
        {"RangeOverTheYearsEnd",
         "0 0 0 1 NOV-JAN ?",
         "2026-11-21T00:00:00",
         {"2026-12-01T00:00:00", "2027-01-01T00:00:00", "2027-11-01T00:00:00"}},
        {"LastDay",
         "0 0 0 L * ?",
         "2027-12-31T00:00:00",
         {"2028-01-31T00:00:00", "2028-02-29T00:00:00", "2028-03-31T00:00:00"}},
        {"DaysBeforeTheLast",
         "0 0 0 L-3 2 ?",
         "2027-01-01T00:00:00",
         {"2027-02-25T00:00:00", "2028-02-26T00:00:00"}},
        {"ThirtyDaysBeforeTheLast", "0 0 0 L-30 * ?", "2026-02-01T00:00:00", {"2026-03-01T00:00:00"}},
        {"LastWorkingDay",
         "0 0 0 LW * ?",
         "2026-01-31T00:00:00",
         {"2026-02-27T00:00:00", "2026-03-31T00:00:00"}},
        {"WorkingDayNearTheLastButThree", "0 0 0 L-3W 5 ?", "2026-01-01T00:00:00", {"2026-05-28T00:00:00"}},
        {"NearestWorkingDayOfASaturday", "0 0 0 15W 8 ?", "2026-01-01T00:00:00", {"2026-08-14T00:00:00"}},
        {"NearestWorkingDayOfASunday", "0 0 0 15w 11 ?", "2026-01-01T00:00:00", {"2026-11-16T00:00:00"}},
        {"TheFirstStaysInItsMonth", "0 0 0 1W 8 ?", "2026-01-01T00:00:00", {"2026-08-03T00:00:00"}},
        {"TheLastStaysInItsMonth", "0 0 0 31W 5 ?", "2026-01-01T00:00:00", {"2026-05-29T00:00:00"}},
        {"MonthsWithoutTheDayArePassedOver", "0 0 0 31W * ?", "2026-05-31T00:00:00", {"2026-07-31T00:00:00"}},
        {"ShortMonthsArePassedOver", "0 0 0 31 * ?", "2026-08-31T00:00:00", {"2026-10-31T00:00:00"}},
        {"ThirdFriday",
         "0 0 0 ? * 6#3",
         "2026-11-21T00:00:00",
         {"2026-12-18T00:00:00", "2027-01-15T00:00:00"}},
        {"ThirdFridayByName", "0 0 0 ? * FRI#3", "2026-11-21T00:00:00", {"2026-12-18T00:00:00"}},
        {"FifthMonday",
         "0 0 0 ? * MON#5",
         "2026-11-21T00:00:00",
         {"2026-11-30T00:00:00", "2027-03-29T00:00:00"}},
        {"LastFriday", "0 0 0 ? * 6L", "2026-11-01T00:00:00", {"2026-11-27T00:00:00", "2026-12-25T00:00:00"}},
        {"LastSundayByName", "0 0 0 ? 2 SUNL", "2026-02-01T00:00:00", {"2026-02-22T00:00:00"}},
        {"LAloneIsSaturday", "0 0 0 ? * L", "2026-11-21T00:00:00", {"2026-11-28T00:00:00"}},
        {"AYear", "0 0 0 1 1 ? 2028", "2026-11-21T00:00:00", {"2028-01-01T00:00:00", ""}},
        {"YearsByStep", "0 0 0 1 1 ? 2026/10", "2026-01-01T00:00:00", {"2036-01-01T00:00:00"}},
        {"LeapDay", "0 0 0 29 2 ?", "2096-02-29T00:00:00", {""}},
        {"LeapDayOverTheCenturies", "0 0 0 29 FEB ?", "2026-01-01T00:00:00", {"2028-02-29T00:00:00"}},
        {"ADayThatNeverComes", "0 0 0 30 2 ?", "2026-01-01T00:00:00", {""}},
        {"AYearThatIsOver", "0 0 0 1 1 ? 1999", "2026-01-01T00:00:00", {""}},
        {"TheEndOfTime", "* * * * * ?", "2099-12-31T23:59:59", {""}},
        {"BeforeTheBeginning", "0 0 0 1 1 ?", "1969-01-01T00:00:00", {"1970-01-01T00:00:00"}},
        {"SpacesBetween", "  0  0\t12 * * ?  ", "2026-11-21T12:00:00", {"2026-11-22T12:00:00"}},
        {"Lists",
         "1,3 0 0 1,20-21 * ?",
         "2026-11-20T00:00:01",
         {"2026-11-20T00:00:03", "2026-11-21T00:00:01"}},
    }),
    [](const auto& param) { return param.param.name; });

TEST(QuartzCron, PartsOfASecondCountAsTheSecondThatBegan) {
  const auto cron = QuartzCron::Parse("* * * * * ?");
  const Timestamp whole = Time("2026-11-21T12:00:00");
  EXPECT_EQ(cron->Next(whole), whole + std::chrono::seconds(1));
  EXPECT_EQ(cron->Next(whole + std::chrono::nanoseconds(1)), whole + std::chrono::seconds(1));
  EXPECT_EQ(cron->Next(whole - std::chrono::nanoseconds(1)), whole);
}

struct BadCase {
  const char* name;
  const char* expression;
  const char* says;
};

class QuartzCronRefuses : public testing::TestWithParam<BadCase> {};

TEST_P(QuartzCronRefuses, AndSaysWhere) {
  const auto cron = QuartzCron::Parse(GetParam().expression);
  ASSERT_FALSE(cron);
  EXPECT_EQ(cron.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(cron.error().message, testing::HasSubstr(GetParam().says));
}

INSTANTIATE_TEST_SUITE_P(Cases, QuartzCronRefuses,
                         testing::ValuesIn(std::vector<BadCase>{
                             {"Empty", "", "six fields"},
                             {"Blank", "           ", "six fields"},
                             {"FiveFields", "0 0 12 * *", "six fields"},
                             {"EightFields", "0 0 12 * * ? * *", "six fields"},
                             {"UnixForm", "*/5 * * * *", "six fields"},
                             {"Macro", "@hourly", "six fields"},
                             {"SecondTooHigh", "60 0 0 * * ?", "seconds"},
                             {"MinuteTooHigh", "0 60 0 * * ?", "minutes"},
                             {"HourTooHigh", "0 0 24 * * ?", "hours"},
                             {"DayZero", "0 0 0 0 * ?", "day of month"},
                             {"DayTooHigh", "0 0 0 32 * ?", "day of month"},
                             {"MonthZero", "0 0 0 1 0 ?", "month"},
                             {"MonthTooHigh", "0 0 0 1 13 ?", "month"},
                             {"MonthByAnotherName", "0 0 0 1 JANUARY ?", "month"},
                             {"WeekdayZero", "0 0 0 ? * 0", "day of week"},
                             {"WeekdayTooHigh", "0 0 0 ? * 8", "day of week"},
                             {"YearTooLow", "0 0 0 1 1 ? 1969", "year"},
                             {"YearTooHigh", "0 0 0 1 1 ? 2100", "year"},
                             {"YearsBackwards", "0 0 0 1 1 ? 2030-2020", "before it begins"},
                             {"BothDays", "0 0 0 1 * 2", "'?'"},
                             {"BothDaysStars", "0 0 0 * * *", "'?'"},
                             {"NoDay", "0 0 0 ? * ?", "'?'"},
                             {"QuestionInHours", "0 0 ? * * ?", "hours"},
                             {"QuestionInAList", "0 0 0 ?,1 * ?", "day of month"},
                             {"LastInAList", "0 0 0 1,L * ?", "day of month"},
                             {"WorkingDayInAList", "0 0 0 1W,15 * ?", "day of month"},
                             {"WorkingDayOfARange", "0 0 0 1-5W * ?", "day of month"},
                             {"NoWorkingDay", "0 0 0 W * ?", "day of month"},
                             {"WorkingDayTooHigh", "0 0 0 32W * ?", "day of month"},
                             {"TooFarBeforeTheLast", "0 0 0 L-31 * ?", "day of month"},
                             {"LWithRubbish", "0 0 0 LX * ?", "day of month"},
                             {"LInHours", "0 0 L * * ?", "hours"},
                             {"NthInAList", "0 0 0 ? * 6#3,2", "day of week"},
                             {"SixthOfMonth", "0 0 0 ? * 6#6", "'#'"},
                             {"ZerothOfMonth", "0 0 0 ? * 6#0", "'#'"},
                             {"NoNth", "0 0 0 ? * 6#", "'#'"},
                             {"LastInAWeekdayList", "0 0 0 ? * 2,6L", "day of week"},
                             {"StepZero", "*/0 * * * * ?", "step"},
                             {"StepTooHigh", "*/60 * * * * ?", "step"},
                             {"StepNegative", "0/-5 * * * * ?", "step"},
                             {"NoStep", "0/ * * * * ?", "step"},
                             {"TwoSteps", "0/5/5 * * * * ?", "step"},
                             {"EmptyInAList", "0,,5 * * * * ?", "seconds"},
                             {"ListEndsInAComma", "0, * * * * ?", "seconds"},
                             {"OpenRange", "5- * * * * ?", "seconds"},
                             {"RangeWithoutBeginning", "-5 * * * * ?", "seconds"},
                             {"RangeOfThree", "1-2-3 * * * * ?", "seconds"},
                             {"StarInARange", "*-5 * * * * ?", "seconds"},
                             {"Plus", "+5 * * * * ?", "seconds"},
                             {"Fraction", "1.5 * * * * ?", "seconds"},
                             {"Overflow", "99999999999999999999 * * * * ?", "seconds"},
                             {"NotText", "\x01 * * * * ?", "seconds"},
                         }),
                         [](const auto& param) { return param.param.name; });

}  // namespace
}  // namespace millrace
