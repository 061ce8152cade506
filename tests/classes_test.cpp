// The shape of the host's classes: each name stands for one type, and a class of the manager fits
// in a head. Reads headers as text: a statement of a class with a parameter list is a method, any
// other declaration is a field.
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skep {
namespace {

namespace fs = std::filesystem;

struct Shape {
    std::string name;
    bool is_class = false;  // false: a struct
    int methods = 0;
    int fields = 0;
};

std::string without_comments(const std::string& text) {
    static const std::regex comment(R"(//[^\n]*)");
    return std::regex_replace(text, comment, "");
}

void count(Shape& shape, std::string statement) {
    static const std::regex label(R"(^\s*(public|private|protected)\s*:)");
    static const std::regex other(
        R"(^\s*(using|struct|class|enum|friend|static constexpr|template)\b)");
    static const std::regex initial(R"([={].*)");
    statement = std::regex_replace(statement, label, "");
    if (std::regex_search(statement, other) ||
        statement.find_first_not_of(" \n}") == std::string::npos) {
        return;
    }
    const std::string declared = std::regex_replace(statement, initial, "");
    ++(declared.find('(') != std::string::npos ? shape.methods : shape.fields);
}

// Reads the class whose body begins at `at`. Its nested types count for themselves.
Shape shape_at(const std::string& text, std::size_t at, Shape shape) {
    std::string statement;
    for (int depth = 1; depth > 0 && at < text.size(); ++at) {
        const char c = text[at];
        depth += c == '{' ? 1 : c == '}' ? -1 : 0;
        if (depth == 1 && c == '}' && statement.find('(') != std::string::npos &&
            text[text.find_first_not_of(" \n", at + 1)] != ';' &&
            text[text.find_first_not_of(" \n", at + 1)] != ',') {
            count(shape, statement);  // the body of a method
            statement.clear();
        } else if (depth == 1 && c == ';') {
            count(shape, statement);
            statement.clear();
        } else if (depth == 1) {
            statement += c == '\n' ? ' ' : c;
        }
    }
    return shape;
}

std::vector<Shape> shapes_in(const std::string& header) {
    static const std::regex head(R"((?:^|\n)(class|struct) (?:alignas\(\d+\) )?(\w+)[^;{(]*\{)");
    const std::string text = without_comments(header);
    std::vector<Shape> found;
    for (std::sregex_iterator it(text.begin(), text.end(), head), end; it != end; ++it) {
        found.push_back(shape_at(text,
                                 static_cast<std::size_t>(it->position() + it->length()),
                                 {(*it)[2], (*it)[1] == "class"}));
    }
    return found;
}

// The types at the top of each header, by its path.
std::map<std::string, std::vector<Shape>> shapes_below(const std::string& folder) {
    std::map<std::string, std::vector<Shape>> found;
    const fs::path root = fs::path(SKEP_SOURCE_DIR) / folder;
    for (const auto& entry : fs::recursive_directory_iterator(root)) {
        if (entry.path().extension() == ".hpp") {
            std::ifstream file(entry.path());
            const std::string text{std::istreambuf_iterator<char>(file), {}};
            found[entry.path().lexically_relative(SKEP_SOURCE_DIR)] = shapes_in(text);
        }
    }
    return found;
}

TEST(Classes, AreCountedAsAReaderCountsThem) {
    const std::vector<Shape> found = shapes_in(R"(
// class Not { int a_; };
class One : public Base {
public:
    explicit One(int a)
        : a_(a) {}
    void f();  // one
    [[nodiscard]] int g() const { return a_ > 0 ? 1 : 2; }
    struct Nested {
        int x;
    };
private:
    const int a_;
    std::function<void(int)> b_{[](int) {}};
    int c_ = f(1), d_ GUARDED_BY(mutex_) = 0;
};
struct Two {
    int a = 0;
};
)");
    ASSERT_EQ(found.size(), 2U);
    EXPECT_EQ(found[0].name, "One");
    EXPECT_EQ(found[0].methods, 4) << "a field whose type has a parenthesis counts as one";
    EXPECT_EQ(found[0].fields, 2);
    EXPECT_EQ(found[1].fields, 1);
}

TEST(Classes, OfTheManagerFitInAHead) {
    int classes = 0;
    for (const auto& [path, shapes] : shapes_below("host/manager")) {
        for (const Shape& it : shapes) {
            if (it.is_class) {
                ++classes;
                EXPECT_LE(it.methods, 25) << path << ": " << it.name;
                EXPECT_LE(it.fields, 15) << path << ": " << it.name;
            }
        }
    }
    EXPECT_GT(classes, 15);
}

TEST(Classes, HaveTheirNameAlone) {
    std::map<std::string, std::string> paths;
    for (const auto& [path, shapes] : shapes_below("host")) {
        for (const Shape& it : shapes) {
            const auto [first, is_new] = paths.emplace(it.name, path);
            EXPECT_TRUE(is_new) << it.name << " is in " << first->second << " and in " << path;
        }
    }
    EXPECT_GT(paths.size(), 150U);
}

}  // namespace
}  // namespace skep
