# results.svg: bars from the files that figures.py writes, each line "name" median lowest
# highest. It gives the variables bars (where they are) and plotted (the picture).
set terminal svg size 900,360 font "sans-serif,12" background "white"
set output plotted
set multiplot layout 1,2
set style fill solid 0.8 noborder
set xrange [0:*]
set yrange [-0.6:8.6]
set grid xtics
set border 3
set tics nomirror out
set format x "%'.0f"
set xtics autofreq rotate by 0
set lmargin 29
set rmargin 3
unset key
half = 0.35

set title "Connections each second, one client"
plot bars."connections" using 2:0:(0):2:($0 - half):($0 + half):ytic(1) with boxxyerror \
         linecolor "#4477aa", \
     "" using 2:0:3:4 with xerrorbars pointtype 0 linecolor "black"

set title "KB for an idle connection, the kernel's share included"
set yrange [-0.6:7.6]
plot bars."memory" using 2:0:(0):2:($0 - half):($0 + half):ytic(1) with boxxyerror \
         linecolor "#ee6677", \
     "" using 2:0:3:4 with xerrorbars pointtype 0 linecolor "black"
unset multiplot
