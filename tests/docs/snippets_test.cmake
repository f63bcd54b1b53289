# The README shows examples/learn_gain.cpp, to the letter.
file(READ ${SOURCE}/README.md readme)
file(READ ${SOURCE}/examples/learn_gain.cpp program)
string(FIND "${readme}" "```cpp\n${program}```\n" at)
if(at EQUAL -1)
  message(FATAL_ERROR "README.md does not hold examples/learn_gain.cpp as it is; copy the file into its cpp block")
endif()
